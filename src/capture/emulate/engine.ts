// Engine `emulate`'s declaration: decoys instead of mappings, accesses emulated by the core.
import type { Engine } from "../engine.js";

export const emulate: Engine = {
  name: "emulate",
  about: "decoys and emulation",
  rootFor: "it loads a kernel module and reads /dev/mmiostrider",
  offers: [
    "relaxed",
    "cleanRoom",
    "exclude",
    "excludeWriteCombining",
    "withoutConfiguration",
    "withoutInterrupts",
    "withoutDma",
    "coreFile",
    "sign",
  ],
  limits: "the core has nothing like it",

  async needs(kernel) {
    return (await import("./needs.js")).emulateNeeds(kernel);
  },

  async prepare(kernel, onWork) {
    const { buildCore } = await import("./core-build.js");
    await buildCore({ ...kernel, onBuild: () => onWork(`Building the core for ${kernel.release}`) });
  },

  async start(request) {
    return await (await import("./emulate-recording.js")).EmulateRecording.start(request);
  },

  async release() {
    const { unloadCore } = await import("./core-load.js");
    if ((await unloadCore()) === "unloaded") return undefined;
    return "the core stays loaded, emulating silently, until the drivers unmap what they mapped while it recorded";
  },

  async isRecording() {
    const { isCoreThere, readStatus } = await import("./control-device.js");
    try {
      return isCoreThere() && readStatus().state === "recording";
    } catch {
      // only root can read its status
      return false;
    }
  },

  async mark(text) {
    (await import("./control-device.js")).sendMark(text);
  },
};
