// The errors of the lab that users can mend by asking for something else.
import { UserError } from "../base/errors.js";

/**
 * The lab can't boot a kernel. `fault`: the folder holds no kernel or several (`choice`), lacks a part of one (`incomplete`), or
 * the kernel lacks what the lab needs (`unfit`).
 */
export class LabKernelError extends UserError {
  override readonly name = "LabKernelError";
  readonly fault: "choice" | "incomplete" | "unfit";

  constructor(fault: LabKernelError["fault"], message: string) {
    super(message);
    this.fault = fault;
  }
}

/** A folder that the machine should use isn't there. */
export class LabFolderError extends UserError {
  override readonly name = "LabFolderError";
  readonly use: "share" | "truth";
  readonly folder: string;

  constructor(use: LabFolderError["use"], folder: string) {
    super(`${use === "share" ? "sharing a folder" : "logging the devices' accesses"} failed: no folder ${folder}`);
    this.use = use;
    this.folder = folder;
  }
}
