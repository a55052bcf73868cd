"""Runs moto with one change.

At each item of a transaction moto copies the table, for the case that the transaction is refused: with each value of
each item, which takes most of the time of a test that has some hundred items. No expression of Anchor's changes a value
in its place, and none changes a table, so that the copies may share them.
"""
import copy

from moto.dynamodb.models.dynamo_type import Item
from moto.dynamodb.models.table import Table
from moto.server import main


def share_values(self, memo):
    copied = copy.copy(self)
    copied.attrs = self.attrs.__class__.__new__(self.attrs.__class__)
    dict.update(copied.attrs, self.attrs)
    return copied


def share_settings(self, memo):
    copied = copy.copy(self)
    copied.items = copy.copy(self.items)
    for key, of in self.items.items():
        copied.items[key] = share_values(of, memo) if isinstance(of, Item) else {k: share_values(i, memo) for k, i in of.items()}
    return copied


Item.__deepcopy__ = share_values
Table.__deepcopy__ = share_settings
main()
