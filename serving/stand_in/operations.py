"""What a SavedModel may hold before anybody loads it.

A SavedModel is a program: loading it runs it, and among TensorFlow's operations are some that read
and write files, open connections, call Python, or take a whole graph hidden in a string. So the
list is closed: a model is let through if it is made of the operations that exports of ours are made
of, wherever they stand, and restores nothing but its own variables. All else is refused, for what
it is called is no proof of what it does.
"""

import math
from collections.abc import Iterable, Iterator
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, NamedTuple

from serving.stand_in.allowed_operations import OPERATIONS, RESTORING, SAVING

if TYPE_CHECKING:
    from tensorflow.core.framework.attr_value_pb2 import AttrValue
    from tensorflow.core.framework.node_def_pb2 import NodeDef
    from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef

# A constant may say one number and a shape: each of its elements takes memory once it is loaded.
_MOST_CONSTANT_ELEMENTS = 1 << 24


def refusals(meta_graph: "MetaGraphDef") -> list[str]:
    """What a graph holds that no export of ours does, sorted: operations, and other things.

    Saving and restoring are part of every SavedModel. Saving is refused where loading or a
    signature would run it, restoring where a signature would, or where it is not the loader who
    says from what.
    """
    graph = _Graph(meta_graph)
    refused = {node.op for node in graph.nodes} - OPERATIONS - SAVING - {RESTORING}
    served = [t.name for s in meta_graph.signature_def.values() for t in s.outputs.values()]
    for key in ("saved_model_main_op", "legacy_init_op"):
        served += meta_graph.collection_def[key].node_list.value
    refused |= graph.reached_from(served) & {*SAVING, RESTORING}
    saver = meta_graph.saver_def
    refused |= graph.reached_from([saver.restore_op_name]) & SAVING
    library = meta_graph.graph_def.library
    if library.gradient:
        refused.add("a function as the gradient of another")
    if any("api_implements" in function.attr for function in library.function):
        refused.add("a function that may take the place of another")
    if graph.calls_itself():
        refused.add("a function that calls itself")
    elif not graph.restores_from(saver.filename_tensor_name, [saver.restore_op_name]):
        refused.add(f"{RESTORING} of other files")
    if sum(map(_constant_elements, graph.nodes)) > _MOST_CONSTANT_ELEMENTS:
        refused.add(f"constants of more than {_MOST_CONSTANT_ELEMENTS:,} elements")
    return sorted(refused)


class _Function(NamedTuple):
    arguments: tuple[str, ...]
    nodes: list["NodeDef"]


class _Graph:
    """A graph and its functions, to follow what runs when a tensor is asked for.

    Attributes:
        nodes: All of them, those of functions too, whether anything calls them or not.
    """

    def __init__(self, meta_graph: "MetaGraphDef") -> None:
        graph = meta_graph.graph_def
        bodies = (graph.node, *(f.node_def for f in graph.library.function))
        self.nodes = [node for body in bodies for node in body]
        self._nodes = {node.name: node for node in graph.node}
        self._functions = {
            f.signature.name: _Function(
                tuple(argument.name for argument in f.signature.input_arg), list(f.node_def)
            )
            for f in graph.library.function
        }

    def reached_from(self, tensors: Iterable[str]) -> set[str]:
        """Operations that run for these tensors. A function that is called runs as a whole."""
        waiting = self._upstream(tensors)
        operations: set[str] = set()
        seen: set[str] = set()
        while waiting:
            node = waiting.pop()
            operations.add(node.op)
            for name in self._called_by(node) - seen:
                seen.add(name)
                waiting.extend(self._functions[name].nodes)
        return operations

    def restores_from(self, prefix: str, tensors: Iterable[str]) -> bool:
        """Whether all that is restored for these tensors is found by the path in `prefix`.

        The path reaches it as it is, from argument to argument of functions none of which calls
        itself: nothing computes it.
        """
        seen: set[tuple[str, frozenset[str]]] = set()
        waiting = [(self._upstream(tensors), frozenset({_node_name(prefix)}))]
        while waiting:
            nodes, own = waiting.pop()
            for node in nodes:
                is_own = [_node_name(name) in own for name in node.input]
                if node.op == RESTORING and is_own[:1] != [True]:
                    return False
                for name in self._called_by(node):
                    arguments, body = self._functions[name]
                    given = frozenset(a for a, own_ in zip(arguments, is_own, strict=False) if own_)
                    if (name, given) not in seen:
                        seen.add((name, given))
                        waiting.append((body, given))
        return True

    def calls_itself(self) -> bool:
        """Whether a function is called, in however many steps, by itself."""
        calls = {
            name: {called for node in function.nodes for called in self._called_by(node)}
            for name, function in self._functions.items()
        }
        try:
            TopologicalSorter(calls).prepare()
        except CycleError:
            return True
        return False

    def _upstream(self, tensors: Iterable[str]) -> list["NodeDef"]:
        """The nodes of the graph itself that these tensors are computed by."""
        found: dict[str, NodeDef] = {}
        waiting = list(map(_node_name, tensors))
        while waiting:
            name = waiting.pop()
            if name in self._nodes and name not in found:
                found[name] = self._nodes[name]
                waiting.extend(map(_node_name, found[name].input))
        return list(found.values())

    def _called_by(self, node: "NodeDef") -> set[str]:
        # A function may also be called as if it were an operation.
        names = {node.op, *(n for value in node.attr.values() for n in _functions_in(value))}
        return names & self._functions.keys()


def _node_name(tensor: str) -> str:
    return tensor.lstrip("^").partition(":")[0]


def _functions_in(value: "AttrValue") -> Iterator[str]:
    """The functions that an attribute names, and those that they are given in turn."""
    for function in [*([value.func] if value.HasField("func") else []), *value.list.func]:
        yield function.name
        for of_function in function.attr.values():
            yield from _functions_in(of_function)


def _constant_elements(node: "NodeDef") -> int:
    sizes = [d.size for d in node.attr["value"].tensor.tensor_shape.dim]
    return math.prod(sizes) if node.op == "Const" else 0
