import { draftMode } from 'next/headers';
import { Notice } from '../../components/notice';
import { RenderedAt } from '../../components/rendered-at';

export const revalidate = 3600;
export const metadata = { title: 'Draft mode' };

export default async function DraftPage() {
  const { isEnabled } = await draftMode();
  return (
    <Notice title={isEnabled ? 'The autumn catalogue (draft)' : 'The summer catalogue'}>
      <p data-draft={String(isEnabled)}>
        {isEnabled ? 'You see what is not published yet.' : 'You see what everybody sees.'}
      </p>
      <a className="button" href={isEnabled ? '/api/draft/disable' : '/api/draft/enable'}>
        {isEnabled ? 'Leave draft mode' : 'Show the draft'}
      </a>
      <RenderedAt />
    </Notice>
  );
}
