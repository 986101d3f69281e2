// The program's version, read from package.json, its only place.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { projectDirectory } from "./paths.js";

const manifest = JSON.parse(readFileSync(join(projectDirectory, "package.json"), "utf8")) as { version: string };

/** `0.1.0` */
export const version = manifest.version;
/** The producer in a trace's header, or in another file: `mmiostrider 0.1.0`. */
export const producer = `mmiostrider ${version}`;
