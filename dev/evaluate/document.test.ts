// tier: quick
// Generated parts between a document's markers.
import { expect, test } from "vitest";
import { UserError } from "../../src/base/errors.js";
import { withParts } from "./document.js";

const text = `# Title

<!-- evaluate: times -->
old
<!-- end of times -->

Prose stays, also with "<!-- evaluate: times -->" in it.

<!-- evaluate: costs -->
<!-- end of costs -->
`;

test("each part is replaced, and the prose around it stays", () => {
  const once = withParts("x.md", text, { times: "| a |", costs: "| $& |" });
  expect(once).toBe(`# Title

<!-- evaluate: times -->

| a |

<!-- end of times -->

Prose stays, also with "<!-- evaluate: times -->" in it.

<!-- evaluate: costs -->

| $& |

<!-- end of costs -->
`);
  // again, with the same parts: nothing changes
  expect(withParts("x.md", once, { times: "| a |", costs: "| $& |" })).toBe(once);
});

test("markers without a part, and parts without markers, are errors that name them", () => {
  expect(() => withParts("x.md", text, { times: "" })).toThrow(
    new UserError("x.md has a marker for costs, which the evaluation doesn't make"),
  );
  expect(() => withParts("x.md", text, { times: "", costs: "", forms: "" })).toThrow(
    new UserError("x.md has no markers for forms"),
  );
});
