// tier: quick
// A kernel's types and a module's, out of Debian's packages, are read as bpftool reads them; the comparison notices planted mistakes.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Btf } from "../../src/btf/btf.js";
import { installTools } from "../../src/lab/debian.js";
import { prepareKernel } from "../../src/lab/kernel-package.js";
import { kernelFiles } from "../core-proof/executable-code.js";
import { casesByTier } from "../test-support/tiers.js";
import {
  btfTools,
  compareKernel,
  compareModule,
  compileDeclarations,
  complaintsOfGcc,
  type KernelTypes,
  kernelTypes,
} from "./compare-kernel.js";
import { compareRaw, rawLines } from "./raw-dump.js";

const say = (line: string) => process.stderr.write(`${line}\n`);
const patience = { timeout: 15 * 60_000 };
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "mmiostrider-btf-proof-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.each(casesByTier({ quick: ["debian:6.1"], rest: ["debian:6.12", "debian:newest"] }))("%s", (name) => {
  let kernel: KernelTypes;
  let modules: string[];

  beforeAll(async () => {
    await installTools(btfTools, say);
    const { imagePath, modulesDirectory, release } = await prepareKernel(name, say);
    kernel = kernelTypes(imagePath, folder);
    modules = kernelFiles(imagePath, join(modulesDirectory, release)).slice(1);
  }, patience.timeout);

  test("a module's types are bpftool's, and its functions can be declared", patience, async () => {
    const file = modules.find((path) => /^e1000\.ko/.test(basename(path)))!;
    const found = await compareModule(kernel, file, folder);
    expect(found?.differences).toEqual([]);
    expect(found?.types).toBeGreaterThan(300);
    const btf = Btf.read(readFileSync(join(folder, "module.ko")), { name: file, base: kernel.btf });
    const lines = Array.from({ length: btf.count - btf.firstId }, (_, index) =>
      rawLines(btf, btf.firstId + index),
    ).flat();
    for (let line = 0; line < lines.length; line += 7) {
      const planted = lines.with(
        line,
        lines[line]!.replace(/\d(?=\D*$)/, (digit) => String((Number(digit) + 1) % 10)),
      );
      expect(compareRaw(btf, planted.join("\n")).differences).toHaveLength(planted[line] === lines[line] ? 0 : 1);
    }
    expect(compareRaw(btf, lines.slice(0, -1).join("\n")).differences).toHaveLength(2);
    const [probe] = btf.functions("e1000_probe");
    expect(btf.declaration(probe!.id)).toBe("int e1000_probe(struct pci_dev *pdev, const struct pci_device_id *ent)");
    const [allocate] = btf.functions("dma_alloc_attrs");
    expect(btf.declaration(allocate!.id)).toBe(
      "void *dma_alloc_attrs(struct device *dev, size_t size, dma_addr_t *dma_handle, gfp_t flag, unsigned long attrs)",
    );
  });
});

describe.each(casesByTier({ quick: [], rest: ["debian:6.1", "debian:newest"] }))("all types of %s", (name) => {
  test("are bpftool's, and gcc agrees to the declarations", patience, async () => {
    await installTools(btfTools, say);
    const kernel = kernelTypes((await prepareKernel(name, say)).imagePath, folder);
    const { types, differences } = await compareKernel(kernel);
    expect(differences.slice(0, 20)).toEqual([]);
    expect(types).toBeGreaterThan(90_000);
    const { counts, complaints, file } = await compileDeclarations(kernel, folder);
    expect(complaints).toEqual([]);
    expect(Math.min(counts.members, counts.functions, counts.sizes)).toBeGreaterThan(35_000);
    const source = readFileSync(file, "latin1");
    const planted = source
      .replace(/(sizeof\(gfp_t\) == )4/, "$18")
      .replace(/(net_device \*\)0\)->mtu\), __typeof__\()/, "$1long ");
    writeFileSync(file, planted);
    expect((await complaintsOfGcc(file)).filter((line) => /gfp_t|net_device: mtu/.test(line))).toHaveLength(2);
  });
});
