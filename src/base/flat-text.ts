// Strings that are kept to become parts of many others. V8 makes of `a + b` a node that points to both, and follows all
// of them again each time that a string around them is written out; asking for a character makes it one piece.

/** `text`, in one piece. */
export function flatText(text: string): string {
  text.charCodeAt(0);
  return text;
}
