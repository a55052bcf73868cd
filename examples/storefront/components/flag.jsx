// International maritime signal flags, drawn on a 30 × 30 grid.
const BLUE = '#1746a2';
const RED = '#d6322b';
const YELLOW = '#f7c400';
const WHITE = '#ffffff';
const BLACK = '#14181b';

const r = (fill, x, y, width, height) => (
  <rect key={`${x},${y},${width},${height}`} fill={fill} x={x} y={y} width={width} height={height} />
);
const swallowtail = 'M0 0H30L22 15L30 30H0Z';

const DRAWINGS = {
  A: [r(WHITE, 0, 0, 15, 30), <path key="a" fill={BLUE} d="M15 0H30L22 15L30 30H15Z" />],
  B: [<path key="b" fill={RED} d={swallowtail} />],
  C: [r(BLUE, 0, 0, 30, 30), r(WHITE, 0, 6, 30, 18), r(RED, 0, 12, 30, 6)],
  D: [r(YELLOW, 0, 0, 30, 30), r(BLUE, 0, 7, 30, 16)],
  E: [r(BLUE, 0, 0, 30, 15), r(RED, 0, 15, 30, 15)],
  H: [r(WHITE, 0, 0, 15, 30), r(RED, 15, 0, 15, 30)],
  L: [r(YELLOW, 0, 0, 30, 30), r(BLACK, 15, 0, 15, 15), r(BLACK, 0, 15, 15, 15)],
  M: [r(BLUE, 0, 0, 30, 30), <path key="m" stroke={WHITE} strokeWidth="6" d="M0 0L30 30M30 0L0 30" />],
  R: [r(RED, 0, 0, 30, 30), r(YELLOW, 11, 0, 8, 30), r(YELLOW, 0, 11, 30, 8)],
  S: [r(WHITE, 0, 0, 30, 30), r(BLUE, 8, 8, 14, 14)],
  W: [r(BLUE, 0, 0, 30, 30), r(WHITE, 5, 5, 20, 20), r(RED, 10, 10, 10, 10)],
};

export function Flag({ letter, className, style }) {
  return (
    <svg className={className} style={style} viewBox="0 0 30 30" role="img" aria-label={`Signal flag ${letter}`}>
      {DRAWINGS[letter]}
    </svg>
  );
}

// A word flown as a hoist, letter by letter, along a line.
export function Hoist({ word }) {
  return (
    <div className="hoist" role="img" aria-label={`${word} in signal flags`}>
      {[...word].map((letter, i) => (
        <Flag key={i} letter={letter} className="hoist-flag" style={{ '--place': i }} />
      ))}
    </div>
  );
}
