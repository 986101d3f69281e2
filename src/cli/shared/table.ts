// Formats rows of cells as lines of text.

/**
 * Makes lines with columns as wide as their widest cell, two spaces between. The first row has the columns' names; a
 * column whose name begins with ">" is aligned to the right.
 */
export function tableLines(rows: readonly (readonly string[])[]): string[] {
  const [names = []] = rows;
  const right = names.map((name) => name.startsWith(">"));
  const shown = [names.map((name) => name.replace(/^>/, "")), ...rows.slice(1)];
  // no spread of all rows into one call: there may be more than a call takes
  const widths = names.map((_, column) => shown.reduce((width, row) => Math.max(width, (row[column] ?? "").length), 0));
  return shown.map((row) =>
    row
      .map((cell, column) => (right[column] ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!)))
      .join("  ")
      .trimEnd(),
  );
}
