import { Notice } from '../../components/notice';

export const metadata = { title: 'About' };

export default function AboutPage() {
  return (
    <Notice title="The sheltered side">
      <p>
        Leeward is the side of a boat away from the wind: where you pour the tea, light the lantern and splice the
        line. We sell what is used there.
      </p>
      <p>
        We sail out of a drying harbour with eleven berths. Everything in the shop has spent a winter in one of them
        before we print its price.
      </p>
    </Notice>
  );
}
