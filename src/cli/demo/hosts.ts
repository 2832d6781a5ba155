/** Web sites of the demo by host name, each with its one page. */
export const HOSTS: Readonly<Record<string, string>> = {
  'weather.example': 'Tomorrow: rain',
  'shop.example': 'A ticket is 100 EUR',
  'ads.example': 'Buy now!',
};

/** Where the server listens. */
export const PORTS = { WEB: 80, SLOW: 8080 } as const;

export const CLIENT_ADDRESS = '10.77.0.1';
export const SERVER_ADDRESS = '10.77.0.2';
