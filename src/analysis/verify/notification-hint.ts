// A reason for differences that is QEMU's, not the recorder's: with ioeventfd, its default, QEMU delivers a virtio device's
// notifications to a waiting thread, past its log. The trace has them, the log hasn't.
import type { PciFunction } from "../../trace/header.js";
import type { ReportedDifference } from "./verify-result.js";

/** Red Hat's, which all virtio devices have: virtio 1.2, 4.1.2. */
const virtioVendor = "0x1af4";
/** A notification is a write of a queue's number, or of that with more in the upper half: virtio 1.2, 4.1.5.2. */
const notificationWidths_bytes = [2, 4];

/** Returns the hint where the trace has writes to virtio devices that look like notifications and aren't in the log. */
export function notificationHints(
  differences: readonly ReportedDifference[],
  functions: readonly PciFunction[],
): string[] {
  const virtio = functions.filter(({ vendor }) => vendor === virtioVendor).map(({ address }) => address);
  const isNotification = ({ kind, region, device, trace }: ReportedDifference) =>
    kind === "extra" &&
    trace?.kind === "write" &&
    notificationWidths_bytes.includes(trace.width_bytes) &&
    (region === "" || region.includes("notify")) &&
    virtio.some((address) => device.startsWith(`${address} `));
  if (!differences.some(isNotification)) return [];
  return [
    "QEMU doesn't log a virtio device's notifications unless it has ioeventfd=off: " +
      "give the device that (-device virtio-net-pci,ioeventfd=off,…) and record again",
  ];
}
