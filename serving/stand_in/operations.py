"""Which operations a SavedModel may hold before anybody loads it.

A SavedModel is a program: loading it runs it, and among TensorFlow's operations are some that read
and write files, open connections and call Python. Those that only compute are let through: all
that TensorFlow itself calls stateless but for a few that reach outside nevertheless, and of the
stateful ones those named here. What is new or unknown is refused.
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tensorflow.core.framework.node_def_pb2 import NodeDef
    from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef

# State that stays inside a session: variables, tables, arrays, random numbers, control flow.
_STATEFUL_AND_SAFE = """
    VarHandleOp ReadVariableOp AssignVariableOp AssignAddVariableOp AssignSubVariableOp
    VarIsInitializedOp VariableShape Variable VariableV2 ResourceGather ResourceGatherNd
    DisableCopyOnRead GuaranteeConst Empty
    StatefulPartitionedCall If While Case Assert CheckNumerics CheckNumericsV2
    HashTable HashTableV2 AnonymousHashTable MutableHashTable MutableHashTableV2
    AnonymousMutableHashTable InitializeTableV2 LookupTableFindV2 LookupTableSizeV2
    LookupTableInsertV2 LookupTableImportV2 LookupTableExportV2
    TensorArrayV3 TensorArrayReadV3 TensorArrayWriteV3 TensorArraySizeV3 TensorArrayGatherV3
    TensorArrayScatterV3 TensorArrayConcatV3 TensorArraySplitV3 TensorArrayCloseV3
    TensorArrayGradV3 StackV2 StackPushV2 StackPopV2 StackCloseV2
    RandomUniform RandomUniformInt RandomStandardNormal TruncatedNormal ParameterizedTruncatedNormal
    RandomShuffle RandomGamma RandomPoisson RandomPoissonV2 Multinomial
    StatefulUniform StatefulUniformInt StatefulUniformFullInt StatefulStandardNormal
    StatefulStandardNormalV2 StatefulTruncatedNormal StatefulRandomBinomial
    RngSkip RngReadAndSkip StatelessRandomGetAlg
"""
# Files, addresses, memory regions and Python behind an operation that claims to have no state.
_STATELESS_AND_UNSAFE = """
    ReadFile MatchingFiles InitializeTableFromTextFile GenerateVocabRemapping ImmutableConst
    DecodeProtoV2 EncodeProto PyFuncStateless Copy CopyHost
    DebugIdentity DebugNanCount DebugNumericSummary CacheDataset SnapshotDataset SnapshotDatasetV2
    SnapshotDatasetReader SnapshotChunkDataset RegisterDataset RegisterDatasetV2
"""
# Every SavedModel holds those that save it; loading runs the one that restores its variables.
_SAVING = frozenset({"SaveV2", "MergeV2Checkpoints"})
_RESTORING = "RestoreV2"


def unsafe_operations(meta_graph: "MetaGraphDef") -> list[str]:
    """Operations that could reach outside the session, sorted.

    Saving and restoring are part of every SavedModel. Saving is refused where loading or a
    signature would run it, restoring where a signature would.
    """
    graph = _Graph(meta_graph)
    used = {node.op for node in graph.nodes()}
    unsafe = {operation for operation in used if not _computes(operation)}
    unsafe -= {*_SAVING, _RESTORING, *graph.functions}
    served = [*meta_graph.signature_def.values()]
    outputs = {tensor.name for s in served for tensor in s.outputs.values()}
    for key in ("saved_model_main_op", "legacy_init_op"):
        outputs |= set(meta_graph.collection_def[key].node_list.value)
    unsafe |= graph.reached_from(outputs) & {*_SAVING, _RESTORING}
    unsafe |= graph.reached_from({meta_graph.saver_def.restore_op_name}) & _SAVING
    return sorted(unsafe)


def _computes(operation: str) -> bool:
    from tensorflow.python.framework import op_def_registry

    definition = op_def_registry.get(operation)
    if definition is None or definition.is_stateful:
        return operation in _STATEFUL_AND_SAFE.split()
    return operation not in _STATELESS_AND_UNSAFE.split()


class _Graph:
    """A graph and its functions, to follow what runs when a tensor is asked for."""

    def __init__(self, meta_graph: "MetaGraphDef") -> None:
        graph = meta_graph.graph_def
        self._nodes = {node.name: node for node in graph.node}
        self.functions = {f.signature.name: f.node_def for f in graph.library.function}

    def nodes(self) -> Iterator["NodeDef"]:
        """All nodes, those of functions too, whether anything calls them or not."""
        yield from self._nodes.values()
        for body in self.functions.values():
            yield from body

    def reached_from(self, tensors: Iterable[str]) -> set[str]:
        """Operations that run for these tensors. A function that is called runs as a whole."""
        operations: set[str] = set()
        seen: set[str] = set()
        waiting = [self._nodes[name] for name in map(_node_name, tensors) if name in self._nodes]
        while waiting:
            node = waiting.pop()
            operations.add(node.op)
            for name in map(_node_name, node.input):
                if name in self._nodes and name not in seen:
                    seen.add(name)
                    waiting.append(self._nodes[name])
            for function in _functions_of(node):
                if function in self.functions and f"()/{function}" not in seen:
                    seen.add(f"()/{function}")
                    waiting.extend(self.functions[function])
        return operations


def _node_name(tensor: str) -> str:
    return tensor.lstrip("^").partition(":")[0]


def _functions_of(node: "NodeDef") -> Iterator[str]:
    yield node.op  # a function may be called as if it were an operation
    for value in node.attr.values():
        if value.HasField("func"):
            yield value.func.name
        for function in value.list.func:
            yield function.name
