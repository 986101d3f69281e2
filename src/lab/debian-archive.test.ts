// tier: quick
// The kernels that meta packages name, as `apt-cache show` prints them; and those that the archive has forgotten.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { forgetKernel, parseKernels } from "./debian-archive.js";

const shown = `Package: linux-image-amd64
Source: linux
Version: 7.3.4-1~bpo13+1
Depends: linux-base-amd64 (= 7.3.4-1~bpo13+1), linux-image-7.3.4+deb13-amd64 (= 7.3.4-1~bpo13+1), linux-modules-amd64 (= 7.3.4-1~bpo13+1)
Description-md5: 00

Package: linux-image-amd64
Source: linux-signed-amd64 (6.1.192+3)
Version: 6.1.192-3
Depends: linux-image-6.1.0-57-amd64 (= 6.1.192-3)

Package: linux-image-rt-amd64
Version: 5.10.223-1
Depends: linux-image-5.10.0-32-rt-amd64 (= 5.10.223-1)

Package: linux-image-6.12-cloud-amd64
Version: 6.12.117-1~deb12u1
Depends: linux-image-6.12.117+deb12-cloud-amd64 (= 6.12.117-1~deb12u1)

Package: linux-image-amd64
Version: 7.4~rc2-1~exp1
Depends: linux-image-7.4-amd64 (= 7.4~rc2-1~exp1)

Package: linux-image-amd64-signed-template
Version: 6.1.192-3
Depends: dpkg-dev
`;

const suites = new Map([
  ["linux-image-amd64 7.3.4-1~bpo13+1", "trixie"],
  ["linux-image-amd64 6.1.192-3", "bookworm"],
  ["linux-image-rt-amd64 5.10.223-1", "bullseye"],
  ["linux-image-6.12-cloud-amd64 6.12.117-1~deb12u1", "bookworm"],
]);

test("a kernel has its series, flavour and suite; one of no wanted suite is left out", () => {
  expect(parseKernels(shown, (meta) => suites.get(meta))).toEqual([
    { release: "7.3.4+deb13-amd64", series: "7.3", flavour: "", suite: "trixie" },
    { release: "6.1.0-57-amd64", series: "6.1", flavour: "", suite: "bookworm" },
    { release: "5.10.0-32-rt-amd64", series: "5.10", flavour: "rt", suite: "bullseye" },
    { release: "6.12.117+deb12-cloud-amd64", series: "6.12", flavour: "cloud", suite: "bookworm" },
  ]);
});

test("a kernel that the archive no longer has is forgotten, the others aren't", () => {
  const place = mkdtempSync(join(tmpdir(), "mmiostrider-lists-"));
  onTestFinished(() => rmSync(place, { recursive: true }));
  const kernels = parseKernels(shown, (meta) => suites.get(meta));
  writeFileSync(join(place, "kernels.json"), JSON.stringify(kernels));
  forgetKernel({ place, lists: [], kernels }, "6.1.0-57-amd64");
  const left = JSON.parse(readFileSync(join(place, "kernels.json"), "utf8")) as { release: string }[];
  expect(left.map(({ release }) => release)).toEqual([
    "7.3.4+deb13-amd64",
    "5.10.0-32-rt-amd64",
    "6.12.117+deb12-cloud-amd64",
  ]);
  expect(readdirSync(place)).toEqual(["kernels.json"]);
});
