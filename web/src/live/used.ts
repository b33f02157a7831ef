// What is kept up to date only while a page shows it.

/** Begins with the first user and ends with the last; each call is a user until the function that it gives is called. */
export function whileUsed(begin: () => () => void): () => () => void {
  let users = 0;
  let end = () => {};
  return () => {
    users += 1;
    if (users === 1) end = begin();
    return () => {
      users -= 1;
      if (users === 0) end();
    };
  };
}
