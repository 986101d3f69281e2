// Finds comments that begin with a clause in place of a noun phrase or a verb: a comment about a constant names it, and one about
// a function begins with a verb ("Reads …", "Returns …"). Reads lines, no syntax: strings that look like comments count, too.

/** Words that begin such a clause. */
const words = "what|whatever|whether|how|who|whoever|whose|where|which|whichever";

/** A line of a comment that begins with one of them, as a sentence does. */
const sentence = new RegExp(`^\\s*(?://|/?\\*\\*?|#)\\s+(?:${words})\\b`, "i");
/** A comment's beginning, at a line's end or alone. */
const beginning = new RegExp(`(?:^|\\s)(?://|/\\*\\*?)\\s+(?:${words})\\b`, "i");
/** A line that goes on with the comment of the line before. */
const isContinued = (line: string, before: string) => /^\s*(?:\/\/|#)/.test(line) && /^\s*(?:\/\/|#)/.test(before);
const beginsLower = /^\s*(?:\/\/|\*|#)\s+[a-z]/;

/** Returns the numbers, counted from 1, of the lines in `text` with such a comment. Genuine questions are none. */
export function clauseComments(text: string): number[] {
  const lines = text.split("\n");
  return lines.flatMap((line, index) => {
    const goesOn = beginsLower.test(line) && (/^\s*\*/.test(line) || isContinued(line, lines[index - 1] ?? ""));
    const found = !goesOn && !line.includes("?") && (sentence.test(line) || beginning.test(line));
    return found ? [index + 1] : [];
  });
}
