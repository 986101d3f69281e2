// ELF notes: a list of owner, type and description. They are in sections of ELF files, and in sysfs files without an ELF file around.
import { latin1 } from "../base/bytes.js";
import { FormatError } from "../base/errors.js";
import { noteHeader, noteOfBuildId } from "./layout.js";

export interface ElfNote {
  /** Without the zero at its end: `GNU`. */
  owner: string;
  type: number;
  description: Uint8Array;
}

export interface NotesPlace {
  /** Named in errors. */
  file: string;
  /** The section that holds the notes, if any, named in errors. */
  section?: string;
  /** Offset of the notes in the file. */
  offset?: number;
  /** Alignment of names and descriptions: 4, or 8 in sections aligned so. */
  alignment?: number;
}

/**
 * Parses the notes in `bytes`. Throws FormatError for a cut one.
 *
 *     | owner_bytes | description_bytes | type | owner, padded | description, padded |
 */
export function parseNotes(bytes: Uint8Array, place: NotesPlace): ElfNote[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const padding = place.alignment === 8 ? 8 : 4;
  const padded = (offset: number) => Math.ceil(offset / padding) * padding;
  const notes: ElfNote[] = [];
  let at = 0;
  while (at < bytes.length) {
    const owner = at + noteHeader.size_bytes;
    if (owner > bytes.length) throw cutNote(place, at);
    const owner_bytes = view.getUint32(at + noteHeader.at.owner_bytes, true);
    const description_bytes = view.getUint32(at + noteHeader.at.description_bytes, true);
    const description = padded(owner + owner_bytes);
    const end = description + description_bytes;
    if (end > bytes.length) throw cutNote(place, at);
    notes.push({
      owner: latin1(bytes, owner, owner + owner_bytes).replace(/\0+$/, ""),
      type: view.getUint32(at + noteHeader.at.type, true),
      description: bytes.subarray(description, end),
    });
    at = padded(end);
  }
  return notes;
}

function cutNote({ file, section, offset = 0 }: NotesPlace, at: number): FormatError {
  const where = section === undefined ? "" : ` in section ${section}`;
  return new FormatError(file, `a note${where} is cut off`, { offset: offset + at });
}

/** Finds the build id among the notes, hexadecimal, or null if there is none. */
export function buildIdIn(notes: readonly ElfNote[]): string | null {
  const found = notes.find(({ owner, type }) => owner === "GNU" && type === noteOfBuildId);
  if (found === undefined) return null;
  return Array.from(found.description, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
