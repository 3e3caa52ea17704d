/** A crystal in three dimensions: atoms as spheres, bonds and the cell's edges as lines. */

/** @typedef {[number, number, number]} Vector */

const SPHERE_OF_RADIUS = 0.42;
/** Atoms further apart than their covalent radii and so much more are not bonded. */
const BOND_TOLERANCE = 1.2;
/** Beyond so many atoms spheres are coarser, to stay quick to turn. */
const FINE_SPHERES = 60;
/** So many atoms can have their symbols written on them: some elements' colours are alike. */
const LABELLED = 20;

/**
 * @param {CrystalView} crystal
 * @param {Theme} colours
 * @returns {Figure}
 */
function crystalFigure(crystal, colours) {
  const atoms = withBoundary(crystal);
  const sphere = icosphere(atoms.length > FINE_SPHERES ? 1 : 2);
  const elements = [...new Set(crystal.sites.map((site) => site.element))];
  const hidden = { visible: false, showspikes: false };
  return {
    data: [
      lines(cellEdges(crystal.lattice_a), colours.faint, 3, 'cell'),
      lines(bonds(atoms), colours.faint, 6, 'bonds'),
      ...elements.map((each) => spheres(atoms.filter((atom) => atom.element === each), each, sphere)),
    ],
    layout: layout(colours, {
      margin: { l: 0, r: 0, t: 0, b: 0 },
      legend: { orientation: 'h', x: 0, y: 0, yanchor: 'bottom', itemsizing: 'constant' },
      scene: {
        xaxis: hidden,
        yaxis: hidden,
        zaxis: hidden,
        aspectmode: 'data',
        dragmode: 'orbit',
        annotations: atoms.length > LABELLED ? [] : atoms.map(symbolOn),
        camera: { projection: { type: 'orthographic' }, eye: { x: 1.2, y: 0.5, z: 0.36 } },
      },
    }),
    height: 380,
  };
}

/**
 * The symbol of an atom's element, in black or white, whichever its sphere lets be read.
 * @param {Site} atom
 */
function symbolOn({ element: symbol, position_a: [x, y, z] }) {
  const colour = parseInt((ELEMENTS[symbol] ?? UNKNOWN_ELEMENT)[0].slice(1), 16);
  const light = 0.3 * (colour >> 16) + 0.6 * ((colour >> 8) & 255) + 0.1 * (colour & 255);
  const font = { size: 11, color: light > 140 ? '#000' : '#fff' };
  return { x, y, z, text: forPlotly(symbol), showarrow: false, font };
}

/**
 * The camera that looks along one of the cell's vectors.
 * @param {CrystalView} crystal
 * @param {number} along 0, 1 or 2.
 */
function cameraAlong(crystal, along) {
  const vector = crystal.lattice_a[along];
  const up = crystal.lattice_a[(along + 2) % 3];
  const scale = 1.35 / Math.hypot(...vector);
  const [x, y, z] = vector.map((each) => each * scale);
  return {
    projection: { type: 'orthographic' },
    eye: { x, y, z },
    up: { x: up[0], y: up[1], z: up[2] },
  };
}

/**
 * The atoms of the cell, the first at its corner; those on faces, edges and corners on all of these.
 * @param {CrystalView} crystal
 * @returns {Site[]}
 */
function withBoundary({ sites, lattice_a: lattice }) {
  const inverse = inverted(lattice);
  const origin = times(sites[0]?.position_a ?? [0, 0, 0], inverse);
  return sites.flatMap(({ element: symbol, position_a: position }) => {
    const inside = times(position, inverse).map((each, k) => {
      const shifted = each - origin[k];
      const rest = shifted - Math.floor(shifted);
      return rest > 0.999 ? 0 : rest;
    });
    const choices = inside.map((each) => (each < 0.001 ? [0, 1] : [each]));
    return choices[0].flatMap((a) =>
      choices[1].flatMap((b) =>
        choices[2].map((c) => ({ element: symbol, position_a: times([a, b, c], lattice) })),
      ),
    );
  });
}

/**
 * A row vector times a matrix.
 * @param {Vector} vector
 * @param {Vector[]} matrix
 * @returns {Vector}
 */
function times(vector, matrix) {
  return /** @type {Vector} */ (
    [0, 1, 2].map((k) => vector.reduce((sum, each, i) => sum + each * matrix[i][k], 0))
  );
}

/**
 * @param {Vector[]} matrix
 * @returns {Vector[]}
 */
function inverted([a, b, c]) {
  const columns = [cross(b, c), cross(c, a), cross(a, b)];
  const volume = a.reduce((sum, each, k) => sum + each * columns[0][k], 0);
  return /** @type {Vector[]} */ (
    [0, 1, 2].map((k) => columns.map((column) => column[k] / volume))
  );
}

/**
 * @param {Vector} a
 * @param {Vector} b
 * @returns {Vector}
 */
function cross(a, b) {
  return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
}

/**
 * Pairs of ends of the twelve edges of the cell.
 * @param {Vector[]} lattice
 * @returns {[Vector, Vector][]}
 */
function cellEdges(lattice) {
  /** @type {[Vector, Vector][]} */
  const edges = [];
  for (const along of [0, 1, 2]) {
    for (const [p, q] of [[0, 0], [0, 1], [1, 0], [1, 1]]) {
      const start = [0, 0, 0];
      start[(along + 1) % 3] = p;
      start[(along + 2) % 3] = q;
      const end = [...start];
      end[along] = 1;
      edges.push([times(/** @type {Vector} */ (start), lattice), times(/** @type {Vector} */ (end), lattice)]);
    }
  }
  return edges;
}

/**
 * Pairs of atoms that are near enough to be bonded; not two metals, unless there is nothing else.
 * @param {Site[]} atoms
 * @returns {[Vector, Vector][]}
 */
function bonds(atoms) {
  /** @type {[Vector, Vector][]} */
  const found = [];
  const metallic = atoms.every((atom) => !NONMETALS.has(atom.element));
  atoms.forEach((one, i) => {
    for (const other of atoms.slice(i + 1)) {
      if (!metallic && !NONMETALS.has(one.element) && !NONMETALS.has(other.element)) continue;
      const limit = BOND_TOLERANCE * (radius(one.element) + radius(other.element));
      const between = one.position_a.map((each, k) => each - other.position_a[k]);
      if (Math.hypot(...between) < limit) found.push([one.position_a, other.position_a]);
    }
  });
  return found;
}

/** @param {string} symbol */
function radius(symbol) {
  return (ELEMENTS[symbol] ?? UNKNOWN_ELEMENT)[1];
}

/**
 * Line segments; nothing joins one to the next.
 * @param {[Vector, Vector][]} segments
 * @param {string} color
 * @param {number} width
 * @param {string} name
 */
function lines(segments, color, width, name) {
  /** @param {number} k */
  const along = (k) => segments.flatMap(([start, end]) => [start[k], end[k], null]);
  return {
    type: 'scatter3d', mode: 'lines', name, x: along(0), y: along(1), z: along(2),
    line: { color, width }, hoverinfo: 'skip', showlegend: false,
  };
}

/**
 * The atoms of one element, as one mesh.
 * @param {Site[]} atoms
 * @param {string} symbol
 * @param {{corners: Vector[], faces: Vector[]}} sphere
 */
function spheres(atoms, symbol, { corners, faces }) {
  const size = SPHERE_OF_RADIUS * radius(symbol);
  const places = atoms.flatMap(({ position_a: centre }) =>
    corners.map((corner) => corner.map((each, k) => centre[k] + size * each)),
  );
  const corner = atoms.flatMap((_, n) => faces.map((face) => face.map((i) => i + n * corners.length)));
  return {
    type: 'mesh3d', name: symbol, showlegend: true, hoverinfo: 'name',
    x: places.map((each) => each[0]), y: places.map((each) => each[1]), z: places.map((each) => each[2]),
    i: corner.map((each) => each[0]), j: corner.map((each) => each[1]), k: corner.map((each) => each[2]),
    color: (ELEMENTS[symbol] ?? UNKNOWN_ELEMENT)[0],
    flatshading: false,
    lighting: { ambient: 0.35, diffuse: 0.7, specular: 0.6, roughness: 0.3 },
    // From where the reader is, a little to the left and above.
    lightposition: { x: -3e4, y: 6e4, z: -1e5 },
  };
}

/**
 * A sphere of radius 1 out of triangles: an icosahedron whose faces are split in four a few times.
 * @param {number} splits
 * @returns {{corners: Vector[], faces: Vector[]}}
 */
function icosphere(splits) {
  const t = (1 + Math.sqrt(5)) / 2;
  /** @type {Vector[]} */
  const corners = [];
  /** @param {number[]} point */
  const add = (point) => {
    const length = Math.hypot(...point);
    return corners.push(/** @type {Vector} */ (point.map((each) => each / length))) - 1;
  };
  for (const [a, b] of [[-1, t], [1, t], [-1, -t], [1, -t]]) {
    add([a, b, 0]);
    add([0, a, b]);
    add([b, 0, a]);
  }
  // Corners that are an edge apart, three by three; the outside is where a face's order says.
  const edge = 2 / Math.hypot(1, t) + 1e-6;
  /** @param {number} i @param {number} j */
  const near = (i, j) => Math.hypot(...corners[i].map((each, k) => each - corners[j][k])) < edge;
  /** @type {Vector[]} */
  let faces = [];
  for (let i = 0; i < 12; i++) {
    for (let j = i + 1; j < 12; j++) {
      for (let k = j + 1; k < 12; k++) {
        if (near(i, j) && near(j, k) && near(i, k)) faces.push(outwards(corners, [i, j, k]));
      }
    }
  }
  for (let split = 0; split < splits; split++) {
    /** @type {Map<string, number>} */
    const middles = new Map();
    /** @param {number} i @param {number} j */
    const middle = (i, j) => {
      const key = i < j ? `${i} ${j}` : `${j} ${i}`;
      const known = middles.get(key) ?? add(corners[i].map((each, k) => each + corners[j][k]));
      middles.set(key, known);
      return known;
    };
    faces = faces.flatMap(([i, j, k]) => {
      const [a, b, c] = [middle(i, j), middle(j, k), middle(k, i)];
      return /** @type {Vector[]} */ ([[i, a, c], [a, j, b], [c, b, k], [a, b, c]]);
    });
  }
  return { corners, faces };
}

/**
 * A face in the order that has its outside in front.
 * @param {Vector[]} corners
 * @param {Vector} face
 * @returns {Vector}
 */
function outwards(corners, [i, j, k]) {
  const [a, b, c] = [corners[i], corners[j], corners[k]];
  const normal = cross(
    /** @type {Vector} */ (b.map((each, n) => each - a[n])),
    /** @type {Vector} */ (c.map((each, n) => each - a[n])),
  );
  return normal.reduce((sum, each, n) => sum + each * a[n], 0) > 0 ? [i, j, k] : [i, k, j];
}
