// tier: quick
// The choice among Debian's kernels.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { findKernels, keptKernels, missingKernel } from "./kernel-package.js";

const kernels = [
  { release: "5.10.0-32-amd64", series: "5.10", flavour: "", suite: "bullseye" },
  { release: "5.10.0-9-amd64", series: "5.10", flavour: "", suite: "bullseye" },
  { release: "6.1.0-57-amd64", series: "6.1", flavour: "", suite: "bookworm" },
  { release: "6.12.118+deb13-amd64", series: "6.12", flavour: "", suite: "trixie" },
  { release: "6.12.95+deb12-amd64", series: "6.12", flavour: "", suite: "bookworm" },
  { release: "6.12.117+deb12-amd64", series: "6.12", flavour: "", suite: "bookworm" },
  { release: "6.12.118+deb13-rt-amd64", series: "6.12", flavour: "rt", suite: "trixie" },
  { release: "7.2.13+deb14-amd64", series: "7.2", flavour: "", suite: "sid" },
  { release: "7.3.4+deb13-amd64", series: "7.3", flavour: "", suite: "trixie" },
];

test.each([
  ["6.12", "", "bookworm", "6.12.117+deb12-amd64 6.12.95+deb12-amd64 6.12.118+deb13-amd64"],
  ["6.12", "", "trixie", "6.12.118+deb13-amd64 6.12.117+deb12-amd64 6.12.95+deb12-amd64"],
  ["6.12", "", undefined, "6.12.118+deb13-amd64 6.12.117+deb12-amd64 6.12.95+deb12-amd64"],
  ["6.12", "rt", "bookworm", "6.12.118+deb13-rt-amd64"],
  ["6.1", "", "bookworm", "6.1.0-57-amd64"],
  ["6.2", "", "bookworm", ""],
  ["oldest", "", "bookworm", "5.10.0-32-amd64 5.10.0-9-amd64"],
  ["stable", "", "bookworm", "6.1.0-57-amd64"],
  ["newest", "", "bookworm", "7.3.4+deb13-amd64"],
  ["newest", "rt", "bookworm", "6.12.118+deb13-rt-amd64"],
  ["newest", "cloud", "bookworm", ""],
])("%s %s on a machine with %s", (name, flavour, suite, expected) => {
  // not `suite` as it is: undefined would mean this machine's
  const found = findKernels(kernels, name, flavour, suite ?? "none");
  expect(found.map(({ release }) => release).join(" ")).toBe(expected);
});

test("a version that the archive doesn't have is told with those that it has", () => {
  expect(missingKernel("6.11", "rt", kernels).message).toBe(
    "Debian's archive has no kernel 6.11-rt: it has 5.10, 6.1, 6.12, 7.2, 7.3; with -rt 6.12",
  );
  expect(missingKernel("6.11", "", []).message).toBe("Debian's archive has no kernel 6.11: it has none; with -rt none");
});

test("the kernels in the cache, with the suite that each was fetched from", () => {
  const folder = mkdtempSync(join(tmpdir(), "mmiostrider-kernels-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const releases = ["6.1.0-57-amd64", "7.3.4+deb13-rt-amd64", "7.3.4+deb13-amd64.part-12", "notes"];
  for (const name of releases) mkdirSync(join(folder, name));
  writeFileSync(join(folder, "7.3.4+deb13-rt-amd64/build-tools.json"), '{ "suite": "trixie", "packages": ["gcc-14"] }');
  expect(keptKernels(folder)).toEqual([
    { release: "6.1.0-57-amd64", series: "6.1", flavour: "", suite: "" },
    { release: "7.3.4+deb13-rt-amd64", series: "7.3", flavour: "rt", suite: "trixie" },
  ]);
});
