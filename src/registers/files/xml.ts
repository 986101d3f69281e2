// Reads an XML file into elements that know their line. Knows nothing about registers.
import { readFileSync, statSync } from "node:fs";
import { SaxesParser } from "saxes";
import { FormatError, messageOf, UserError } from "../../base/errors.js";
import { Limits } from "../schema.js";

export interface XmlElement {
  /** Tag name without namespace prefix. */
  tag: string;
  attributes: Map<string, string>;
  children: XmlElement[];
  /** The text directly inside, without its children's text. */
  text: string;
  /** Line of the tag's start, counted from 1. */
  line: number;
  /** Number of elements around it. */
  depth: number;
}

/** Number of elements that may still come: one count for all files of a database. */
export interface ElementBudget {
  left: number;
}

/**
 * Reads the XML file at `path`; returns its root element.
 *
 * Errors: UserError if it can't be read; FormatError with the line if it isn't well-formed XML, or with the byte's
 * offset if it isn't UTF-8.
 */
export function readXml(path: string, budget?: ElementBudget): XmlElement {
  let bytes: Buffer;
  try {
    const status = statSync(path);
    if (!status.isFile()) throw new Error("it isn't a file");
    if (status.size > Limits.fileBytesMax) throw new Error(`it is larger than ${Limits.fileBytesMax} bytes`);
    bytes = readFileSync(path);
  } catch (error) {
    throw new UserError(`can't read the register database ${path}: ${messageOf(error)}`, { cause: error });
  }
  return parseXml(decodeUtf8(bytes, path), path, budget);
}

/** Does the same as readXml() with a text; `path` is only for messages. */
function parseXml(text: string, path: string, budget: ElementBudget = { left: Limits.xmlElementsMax }): XmlElement {
  // a log, for instance, whose first fault would be told at its end
  if (/^\ufeff?\s*[^<\s]/.test(text)) throw new FormatError(path, "isn't XML: it doesn't begin with <", { line: 1 });
  const parser = new SaxesParser({ position: true });
  const open: XmlElement[] = [];
  // the parser refuses a document without an element
  let root!: XmlElement;
  let startLine = 1;
  parser.on("opentagstart", () => {
    startLine = parser.line;
  });
  parser.on("opentag", (tag) => {
    const element: XmlElement = {
      tag: withoutPrefix(tag.name),
      attributes: attributesOf(tag.attributes as Record<string, string>),
      children: [],
      text: "",
      line: startLine,
      depth: open.length,
    };
    if (--budget.left < 0) {
      throw new FormatError(path, `the database has more than ${Limits.xmlElementsMax} elements`, { line: startLine });
    }
    const parent = open.at(-1);
    if (parent !== undefined) parent.children.push(element);
    else root ??= element;
    open.push(element);
    if (open.length > Limits.nestingMax) {
      throw new FormatError(path, `elements are nested more than ${Limits.nestingMax} deep`, { line: startLine });
    }
  });
  parser.on("closetag", () => {
    open.pop();
  });
  const addText = (text: string): void => {
    const element = open.at(-1);
    if (element !== undefined) element.text += text;
  };
  parser.on("text", addText);
  parser.on("cdata", addText);
  parser.on("error", (error) => {
    throw new FormatError(path, `not well-formed XML: ${error.message.replace(/^\d+:\d+: /, "")}`, {
      line: parser.line,
    });
  });
  parser.write(text).close();
  return root;
}

function withoutPrefix(name: string): string {
  const colon = name.indexOf(":");
  return colon < 0 ? name : name.slice(colon + 1);
}

function decodeUtf8(bytes: Buffer, path: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new FormatError(path, "isn't UTF-8 text", { offset: firstBadByte(bytes) });
  }
}

/** Finds the end of the longest valid prefix by halving: all whole-character prefixes of a valid text are valid. */
function firstBadByte(bytes: Buffer): number {
  let good = 0;
  let bad = bytes.length;
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    const decoder = new TextDecoder("utf-8", { fatal: true });
    try {
      decoder.decode(bytes.subarray(0, middle), { stream: true });
      good = middle;
    } catch {
      bad = middle;
    }
  }
  return good;
}

function attributesOf(given: Record<string, string>): Map<string, string> {
  const attributes = new Map<string, string>();
  for (const name of Object.keys(given)) attributes.set(name, given[name] as string);
  return attributes;
}
