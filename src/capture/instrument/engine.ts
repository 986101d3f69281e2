// Engine `instrument`'s declaration: the drivers' modules are swapped for rewritten ones, whose accesses call the core of engine emulate.
import { emulate } from "../emulate/engine.js";
import type { Engine } from "../engine.js";

export const instrument: Engine = {
  name: "instrument",
  about: "rewritten drivers that call the core, the rest as emulate",
  rootFor: "it loads kernel modules and reads /dev/mmiostrider",
  offers: [...emulate.offers.filter((option) => option !== "coreFile"), "accesses", "profile"],
  limits: "the drivers are rewritten for the core that is built here",

  async needs(kernel) {
    return [...(await emulate.needs(kernel)), (await import("./needs.js")).swapCheck()];
  },

  prepare: emulate.prepare,

  async start(request) {
    return await (await import("./instrument-recording.js")).startRecording(request);
  },

  async release() {
    const { giveDriversBack } = await import("./instrument-recording.js");
    const told = await giveDriversBack();
    const core = await emulate.release();
    // rewritten drivers that stay hold the core, too
    return told ?? core;
  },

  isRecording: emulate.isRecording,
  mark: emulate.mark,
};
