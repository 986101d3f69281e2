// The text of a kernel's graphics drivers: every module below drivers/gpu and drivers/video.
import { join } from "node:path";
import { readDependencies } from "../../src/capture/driver-devices.js";
import { ElfFile } from "../../src/elf/elf-file.js";
import type { LabKernel } from "../../src/lab/kernel-package.js";
import { decompressedFile } from "../core-proof/executable-code.js";
import { type ModuleText, readModuleText } from "./module-text.js";

export interface GraphicsModule extends ModuleText {
  /** The folder below drivers/. */
  folder: "gpu" | "video";
}

/** Reads them in the order of their names. */
export function readGraphicsText({ release, modulesDirectory }: LabKernel): GraphicsModule[] {
  const modulesFolder = join(modulesDirectory, release);
  const found: GraphicsModule[] = [];
  for (const { module, file } of readDependencies(modulesFolder)) {
    const folder = /^kernel\/drivers\/(gpu|video)\//.exec(file)?.[1];
    if (folder !== "gpu" && folder !== "video") continue;
    const path = join(modulesFolder, file);
    found.push({ ...readModuleText(module, new ElfFile(path, decompressedFile(path))), folder });
  }
  return found.sort((a, b) => (a.module < b.module ? -1 : 1));
}
