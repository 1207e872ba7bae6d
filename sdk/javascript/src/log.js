/** The log of the batch: bounded, what is too much is dropped and counted by the host. */

const LEVELS = ["", "error", "warn", "info", "debug", "trace"];

let write = (level, message) => console.error(`[${LEVELS[level]}] ${message}`);

/** Sends what is logged from now on elsewhere, with its level from 1 (error) to 5 (trace). */
export function sendTo(target) {
  write = target;
}

export const log = {
  error: (message) => write(1, String(message)),
  warn: (message) => write(2, String(message)),
  info: (message) => write(3, String(message)),
  debug: (message) => write(4, String(message)),
  trace: (message) => write(5, String(message)),
};
