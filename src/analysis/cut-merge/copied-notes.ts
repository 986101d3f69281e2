// Notes about logs in traces that are made of parts of them.

/** Returns the note as one about another trace than the one that it is in, if it counts something: `in e1000.txt, 2 accesses use …`. */
export function noteOfWhole(name: string, note: string): string {
  return /^\d/.test(note) ? `in ${name}, ${note}` : note;
}
