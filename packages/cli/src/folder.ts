/**
 * The files of a folder for TFTP: read as they are asked for, never written. A name is taken apart and looked up step by step; what is
 * no plain name, no plain folder or no plain file is not there, so no name leads out of the folder.
 */
import { closeSync, constants, fstatSync, lstatSync, openSync, readSync, realpathSync, statSync } from "node:fs";
import { join } from "node:path";
import type { TftpFile } from "castaway";
import { fileError, UserError } from "./exit.ts";

/** @throws UserError if there is no such folder */
export function folderFiles(folder: string): (name: string) => TftpFile | null {
  const root = attempt(folder, () => realpathSync(folder));
  if (!attempt(folder, () => statSync(root)).isDirectory())
    throw new UserError(`--tftp: ${folder} is a file; give the folder that it is in`);
  return (name) => {
    const path = find(root, name);
    return path === null ? null : new FolderFile(path);
  };
}

/** The file's path, or null if there is none of that name. */
function find(root: string, name: string): string | null {
  const steps = name.split("/");
  if (steps.some((step) => step === "" || step === "." || step === ".." || /[\\\0]/.test(step))) return null;
  let path = root;
  try {
    for (const [at, step] of steps.entries()) {
      path = join(path, step);
      const entry = lstatSync(path); // of the link itself, if it is one
      if (at < steps.length - 1 ? !entry.isDirectory() : !entry.isFile()) return null;
    }
    return realpathSync(path) === path ? path : null;
  } catch {
    return null;
  }
}

/** Opened for each read: nobody tells when a transfer is over. */
class FolderFile implements TftpFile {
  readonly size: number;
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
    this.size = lstatSync(path).size;
  }

  read(offset: number, into: Uint8Array): boolean {
    let fd: number;
    try {
      fd = openSync(this.#path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0));
    } catch {
      return false;
    }
    try {
      if (fstatSync(fd).size !== this.size) return false;
      for (let at = 0; at < into.length; ) {
        const count = readSync(fd, into, at, into.length - at, offset + at);
        if (count === 0) return false;
        at += count;
      }
      return true;
    } catch {
      return false;
    } finally {
      closeSync(fd);
    }
  }
}

function attempt<T>(path: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw fileError("read", path, error);
  }
}
