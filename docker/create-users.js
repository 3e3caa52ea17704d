// Run by the image of MongoDB once, when its volume is empty: the users that are not root.
// Passwords come from the container's environment; none is in this file.
const name = process.env.SCREEN_DATABASE;
const database = db.getSiblingDB(name);

function create(user, variable, roles) {
  const pwd = process.env[variable];
  if (!pwd) throw new Error(`${variable} is not set`);
  database.createUser({ user, pwd, roles: roles.map((role) => ({ role, db: name })) });
}

// Works and submits: documents, and the indexes of FireWorks.
create("screen", "SCREEN_PASSWORD", ["readWrite", "dbAdmin"]);
// Looks: rank, status, show.
create("reader", "SCREEN_READER_PASSWORD", ["read"]);
