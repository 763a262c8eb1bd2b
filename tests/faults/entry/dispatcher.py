"""`python -m faults.entry.dispatcher`: the product's own dispatcher, with failpoints."""

from faults.entry.prepare import prepare

prepare()

from worker.dispatcher import main  # noqa: E402 - after the failpoints

if __name__ == "__main__":
    main()
