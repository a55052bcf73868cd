import { Notice } from '../../../components/notice';
import { RenderedAt } from '../../../components/rendered-at';

export const dynamicParams = false;

const GREETINGS = {
  en: ['Ahoy', 'Fair winds and a following sea.'],
  de: ['Moin', 'Mast- und Schotbruch, und immer eine Handbreit Wasser unter dem Kiel.'],
  fr: ['Ohé du bateau', 'Bon vent et bonne mer.'],
};

export function generateStaticParams() {
  return Object.keys(GREETINGS).map((lang) => ({ lang }));
}

export default async function HelloPage({ params }) {
  const { lang } = await params;
  const [title, wish] = GREETINGS[lang];
  return (
    <div lang={lang} data-lang={lang}>
      <Notice title={title}>
        <p>{wish}</p>
        <RenderedAt />
      </Notice>
    </div>
  );
}
