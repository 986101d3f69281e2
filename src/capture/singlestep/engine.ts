// Engine `singlestep`'s declaration: the kernel's own mmiotrace, controlled through tracefs.
import type { Engine } from "../engine.js";

export const singlestep: Engine = {
  name: "singlestep",
  about: "the kernel's own mmiotrace",
  rootFor: "it switches the kernel's mmiotrace on",
  offers: [],
  limits: "mmiotrace has nothing like it",

  async needs(kernel) {
    return (await import("./needs.js")).singlestepNeeds(kernel);
  },

  /** Does nothing: the kernel has all of it. */
  async prepare() {},

  async start(request) {
    return await (await import("./singlestep-recording.js")).SinglestepRecording.start(request);
  },

  /** Does nothing: the end of its recording has restored everything. */
  async release() {
    return undefined;
  },

  async isRecording() {
    return (await import("./mmiotracer.js")).isTracing();
  },

  async mark(text) {
    (await import("./mmiotracer.js")).writeMarker(text);
  },
};
