// tier: quick
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, expect, test } from "vitest";
import { FormatError, UnknownNameError, UserError } from "../../base/errors.js";
import { builtIns } from "./built-in.js";
import { chooseDatabase } from "./choose.js";

const directory = mkdtempSync(join(tmpdir(), "mmiostrider-choose-"));
afterAll(() => rmSync(directory, { recursive: true }));
const file = (name: string, text: string) => {
  writeFileSync(join(directory, name), text);
  return join(directory, name);
};

function failureOf(choice: string): unknown {
  try {
    chooseDatabase(choice);
  } catch (error) {
    return error;
  }
  return undefined;
}

test("a built-in database's name comes before a file of that name; variants are chosen", () => {
  expect(chooseDatabase("nvme").name).toBe("nvme");
  expect(chooseDatabase("e1000", ["PCIE"]).variants.get("gbe-family")).toBe("PCIE");
  const own = file("own.xml", '<database><domain name="OWN"><reg32 offset="4" name="MINE"/></domain></database>');
  expect(chooseDatabase(own).lookup(0, 4, 4)?.name).toBe("MINE");
  expect(chooseDatabase(`${own}:OWN@2`).lookup(2, 4, 4)?.name).toBe("MINE");
});

test("a word that is neither is answered with the built-in names; a path, or a name of XML, with what is wrong with the file", () => {
  const word = failureOf("nosuch");
  expect(word).toBeInstanceOf(UnknownNameError);
  expect(word).toMatchObject({
    message: "there is neither a built-in register database nor a file called nosuch",
    advice: `built in are ${builtIns.map(({ name }) => name).join(", ")}`,
    known: builtIns.map(({ name }) => name),
  });
  expect((word as Error).cause).toBeInstanceOf(UserError);
  for (const path of ["no/such", "nosuch.xml", "/nosuch"]) {
    expect(failureOf(path), path).not.toBeInstanceOf(UnknownNameError);
    expect((failureOf(path) as Error).message, path).toContain(`can't read the register database ${resolve(path)}: `);
  }
  expect(failureOf(file("broken.xml", "<database>"))).toBeInstanceOf(FormatError);
});
