// The program's version, as package.json has it: written there, and nowhere else.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { projectDirectory } from "./paths.js";

const manifest = JSON.parse(readFileSync(join(projectDirectory, "package.json"), "utf8")) as { version: string };

/** `0.1.0` */
export const version = manifest.version;
/** What a trace's header, or another file, names as its writer: `mmiostrider 0.1.0`. */
export const producer = `mmiostrider ${version}`;
