// A reporter for vitest: writes each test file's time, its hooks' included, as JSON to $MMIOSTRIDER_FILE_TIMES.
import { writeFileSync } from "node:fs";

export default class FileTimes {
  /** @param {readonly import("vitest/node").TestModule[]} modules */
  onTestRunEnd(modules) {
    const file = process.env.MMIOSTRIDER_FILE_TIMES;
    if (file === undefined) return;
    const times = modules.map((module) => ({
      name: module.relativeModuleId,
      duration_ms: module.diagnostic().duration,
    }));
    writeFileSync(file, JSON.stringify(times));
  }
}
