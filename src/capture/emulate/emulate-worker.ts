// The process that reads the core's ring for a recorder with -Z, without root's rights: see feed/drain-worker.ts.
import { runDrainWorker } from "../feed/drain-worker.js";
import { RingEnd } from "./control-device.js";

runDrainWorker((descriptor) => new RingEnd(descriptor));
