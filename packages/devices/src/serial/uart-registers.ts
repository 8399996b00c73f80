/**
 * What a 16550A's registers and their bits are called. [NS] = National Semiconductor, "PC16550D Universal Asynchronous
 * Receiver/Transmitter with FIFOs", June 1995.
 */

/** Offsets ([NS] table II). DLL and DLM stand in the place of the first two while LCR.DLAB is set. */
// biome-ignore format: a table
export const RBR = 0, THR = 0, IER = 1, IIR = 2, FCR = 2, LCR = 3, MCR = 4, LSR = 5, MSR = 6, SCR = 7;

/** Interrupts: bits of IER, and what IIR answers for each ([NS] 8.4, table IV). */
// biome-ignore format: a table
export const ERBFI = 1, ETBEI = 2, ELSI = 4, EDSSI = 8;
// biome-ignore format: a table
export const NONE = 0x01, LINE_STATUS = 0x06, DATA = 0x04, TIMEOUT = 0x0c, EMPTY = 0x02, MODEM = 0x00;
/** FCR ([NS] 8.5): FIFOs on, clear the receiver's, clear the transmitter's. Bits 7:6 choose a trigger level. */
// biome-ignore format: a table
export const FIFOS = 1, CLEAR_RX = 2, CLEAR_TX = 4;
export const TRIGGERS = [1, 4, 8, 14];
/** LCR ([NS] 8.1): two stop bits, parity, break, divisor latch access. Bits 1:0 are the word length less 5. */
// biome-ignore format: a table
export const STB = 0x04, PEN = 0x08, BREAK = 0x40, DLAB = 0x80;
/** MCR ([NS] 8.6). */
// biome-ignore format: a table
export const DTR = 1, RTS = 2, OUT1 = 4, OUT2 = 8, LOOP = 0x10;
/** LSR ([NS] 8.3). */
// biome-ignore format: a table
export const DR = 0x01, OE = 0x02, PE = 0x04, FE = 0x08, BI = 0x10, THRE = 0x20, TEMT = 0x40, RX_ERROR = 0x80;
export const CHARACTER_ERRORS = PE | FE | BI;
/** MSR ([NS] 8.7): inputs in bits 7:4, what changed in bits 3:0. */
// biome-ignore format: a table
export const CTS = 0x10, DSR = 0x20, RI = 0x40, DCD = 0x80;
export const INPUTS = CTS | DSR | RI | DCD;
