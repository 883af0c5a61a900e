"""A plain loop: python -m examples.loops.plain CORPUS RUN."""

from __future__ import annotations

import torch

from examples.loops.task import begin, note, options


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
    taken = 0
    while loader.epoch < given.epochs and taken != given.steps:
        for batch in loader:
            optimizer.zero_grad()
            model(batch).backward()
            optimizer.step()
            note(given, 0, batch)
            taken += 1
            if taken == given.steps:
                break
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "loader": loader.state_dict()}
    torch.save(state, path)


if __name__ == "__main__":
    main()
