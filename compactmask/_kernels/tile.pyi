class Tile:
    n: int
