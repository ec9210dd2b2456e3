/** What the consent component gives to a page's scripts. */
interface Window {
  consent?: {
    allows(key: string): boolean;
    open(): void;
    withdraw(): void;
  };
}
