"""A plain loop: python -m examples.loops.plain CORPUS RUN."""

from __future__ import annotations

import torch

from examples.loops.task import batches, begin, options


def main() -> None:
    given = options("plain")
    loader, model = begin(given)
    optimizer = torch.optim.AdamW(model.parameters())
    path = given.run / "checkpoint.pt"
    if path.exists():
        state = torch.load(path, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        loader.load_state_dict(state["loader"])
    for batch in batches(given, loader, 0):
        optimizer.zero_grad()
        model(batch).backward()
        optimizer.step()
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "loader": loader.state_dict()}
    torch.save(state, path)


if __name__ == "__main__":
    main()
