import { SiteFooter } from '../components/site-footer';
import { SiteHeader } from '../components/site-header';
import { VERSION } from '../lib/version';
import './styles/base.css';
import './styles/frame.css';
import './styles/shop.css';

export const metadata = {
  title: { default: 'Leeward, goods for small boats', template: '%s, Leeward' },
  description: 'Gear that shrugs off weather: mugs, lanterns, line and flags for small boats.',
  other: { 'anchor-version': VERSION },
};

export const viewport = {
  colorScheme: 'light dark',
  themeColor: [
    { media: '(prefers-color-scheme: light)', color: '#e6ecef' },
    { media: '(prefers-color-scheme: dark)', color: '#0c1a26' },
  ],
};

export default function RootLayout({ children }) {
  return (
    <html lang="en">
      <body>
        <SiteHeader />
        <main>{children}</main>
        <SiteFooter />
      </body>
    </html>
  );
}
