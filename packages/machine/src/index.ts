/** castaway: a PC you can import. */
export { blankDisk, ImageDisk, inflateImage, isGzip, OverlayDisk } from "@castaway/devices";
export { Board, type BoardOptions, type Firmware } from "./board.ts";
export { Transcript, type Watch } from "./console.ts";
export { Machine, type MachineOptions, type MachineStop, SerialPort } from "./machine.ts";
