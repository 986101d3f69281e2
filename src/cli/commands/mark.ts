// `mmiostrider mark`: puts a marker into the recording that runs in another shell.
import type { Command } from "commander";
import { markRecording } from "../../capture/engines.js";

export function addMark(program: Command): void {
  program
    .command("mark")
    .summary("put a marker into the running recording")
    .description("Puts a marker into the running recording, in order with the accesses around it. Needs root.")
    .argument("<text...>", "the marker's text; several words are joined by spaces")
    .addHelpText("after", '\nExample:\n  mmiostrider mark "cable pulled"')
    .action((words: string[]) => markRecording(words.join(" ")));
}
