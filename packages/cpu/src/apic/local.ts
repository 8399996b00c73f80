export class LocalApic {
  readonly requested: boolean = false;
  acknowledge(): number { return 0; }
  reset(): void {}
  init(): void {}
}
