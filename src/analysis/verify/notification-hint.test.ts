// tier: quick
// The hint that QEMU doesn't log a virtio device's notifications: for what may be one, and for nothing else.
import { expect, test } from "vitest";
import { madeUpHeader } from "../../../dev/test-support/made-up-records.js";
import { notificationHints } from "./notification-hint.js";
import type { ReportedDifference } from "./verify-result.js";

const [other] = madeUpHeader().pciFunctions;
const virtio = { ...other!, address: "0000:00:05.0", vendor: "0x1af4" as const };
const notification: ReportedDifference = {
  kind: "extra",
  region: "virtio-pci-notify-virtio-net",
  device: "0000:00:05.0 virtio-pci BAR4",
  trace: { kind: "write", width_bytes: 2, address: "0xfe003000", value: "0x0", cpu: 0, place: 7 },
  truth: null,
  before: [],
};

test.each([
  ["a notification", {}, 1],
  ["one in a region that the log has nothing of", { region: "" }, 1],
  ["one with more in its upper half", { trace: { ...notification.trace!, width_bytes: 4 } }, 1],
  ["a write to another region", { region: "virtio-pci-common-virtio-net" }, 0],
  ["a byte", { trace: { ...notification.trace!, width_bytes: 1 } }, 0],
  ["a read", { trace: { ...notification.trace!, kind: "read" as const } }, 0],
  ["a write that the log has alone", { kind: "missing" as const }, 0],
  ["a write to another device", { device: "0000:00:04.0 e1000 BAR0" }, 0],
])("%s", (_what, changes, wanted) => {
  const hints = notificationHints([{ ...notification, ...changes }], [other!, virtio]);
  expect(hints.length).toBe(wanted);
  for (const hint of hints) expect(hint).toContain("ioeventfd=off");
});
