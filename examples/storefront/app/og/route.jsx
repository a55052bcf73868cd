import { ImageResponse } from 'next/og';
import { VERSION } from '../../lib/version';

export const dynamic = 'force-dynamic';

const BANDS = ['#f7c400', '#1746a2', '#d6322b', '#ffffff', '#1746a2', '#d6322b', '#f7c400'];

export function GET(request) {
  const title = request.nextUrl.searchParams.get('title')?.slice(0, 60) ?? 'Gear that shrugs off weather';
  return new ImageResponse(
    <div style={frame}>
      <div style={{ display: 'flex', height: 96 }}>
        {BANDS.map((color, i) => (
          <div key={i} style={{ display: 'flex', flex: 1, background: color }} />
        ))}
      </div>
      <div style={{ display: 'flex', fontSize: 92, letterSpacing: -3, lineHeight: 1.05 }}>{title}</div>
      <div style={{ display: 'flex', fontSize: 30, opacity: 0.7 }}>{`Leeward, build ${VERSION}`}</div>
    </div>,
    { width: 1200, height: 630 },
  );
}

const frame = {
  display: 'flex',
  flexDirection: 'column',
  justifyContent: 'space-between',
  width: '100%',
  height: '100%',
  padding: 72,
  background: '#0c1a26',
  color: '#f2f6f8',
};
