// The form in which errors reach the user of the command line: message, advice about options, exit code. Libraries know nothing of
// options; their errors have classes and fields, which this file turns into words.
import { UnfinishedFenceError } from "../../analysis/verify/unfinished-fence.js";
import { InvalidValueError, type UserError } from "../../base/errors.js";
import { ScopeError } from "../../capture/scope-errors.js";
import { LabFolderError, LabKernelError } from "../../lab/errors.js";
import { AmbiguousVariantError } from "../../registers/errors.js";
import { ExitCode, UsageError } from "./exit-code.js";
import { OutputClosed } from "./text-output.js";

export interface ShownError {
  message: string;
  advice: string | undefined;
  exitCode: ExitCode;
}

export function shownError(error: UserError): ShownError {
  const { message, advice } = error;
  return { message, advice, exitCode: exitCodeOf(error), ...inOptions(error) };
}

/** The exit code of a command that ends with `error`. */
export function exitCodeOf(error: UserError): ExitCode {
  if (error instanceof OutputClosed) return ExitCode.done;
  const isUsage = error instanceof UsageError || error instanceof InvalidValueError || error instanceof ScopeError;
  return isUsage ? ExitCode.usage : ExitCode.failed;
}

/** The words that name options, for errors that options cause or mend. */
function inOptions(error: UserError): { message?: string; advice?: string } {
  if (error instanceof AmbiguousVariantError) {
    return { advice: `say which: --variant ${error.candidates[0]}=${error.given}` };
  }
  if (error instanceof UnfinishedFenceError) return { advice: "--cut compares as far as the trace goes" };
  if (error instanceof LabFolderError) return { message: `--${error.use}: no folder ${error.folder}` };
  if (error instanceof LabKernelError) return { advice: kernelAdvice[error.fault] };
  if (error instanceof ScopeError) return scopeWords[error.fault];
  return {};
}

const kernelAdvice = {
  choice: "--kernel takes debian:6.1 and the like, host, or a folder with boot/vmlinuz-* and lib/modules/*",
  incomplete: "--kernel debian:6.1 fetches one of Debian's",
  unfit: "--kernel debian:6.1 and the like have all that it takes, and so have their -rt",
};

const scopeWords = {
  nothing: {
    message: "nothing to record: no --device, --driver, --range or --all",
    advice: "for example: mmiostrider record --driver e1000 -o e1000.mmt -- modprobe e1000",
  },
  "all and more": { message: "--all records every device: it can't be combined with a filter" },
};
