"""The operations of exported models: what `export` writes, and a server lets in.

The list is closed. Each of these computes from what it is given, or reads and writes the model's
own variables; none takes a graph, a function's source, a path or an address as its data. The
functions that they call are in the same file, made of the same operations.
"""

_NAMES = """
    AddN AddV2 AssignVariableOp BatchMatMulV2 BatchToSpaceND BiasAdd BiasAddGrad BlockLSTM
    BlockLSTMGrad BroadcastGradientArgs BroadcastTo Cast ConcatOffset ConcatV2 Const Conv2D
    Conv2DBackpropFilter Conv2DBackpropInput DepthwiseConv2dNative
    DepthwiseConv2dNativeBackpropFilter DepthwiseConv2dNativeBackpropInput DisableCopyOnRead
    DynamicStitch Einsum EnsureShape Equal Exp ExpandDims Fill FloorMod GatherV2 Identity
    InvertPermutation Log1p MatMul Max MaxPool MaxPoolGrad Maximum Mean Mul Neg NoOp Pack Pad
    PartitionedCall Placeholder Pow Prod Range ReadVariableOp RealDiv Reciprocal Relu ReluGrad
    Reshape ReverseV2 Rsqrt RsqrtGrad Select Shape ShapeN ShardedFilename Sigmoid Slice Softmax
    SpaceToBatchND Split SplitV Sqrt SquaredDifference Squeeze StatefulPartitionedCall
    StaticRegexFullMatch StopGradient StridedSlice StridedSliceGrad StringJoin Sub Sum Tanh
    TanhGrad Tile Transpose Unpack VarHandleOp ZerosLike
"""
OPERATIONS = frozenset(_NAMES.split())
"""All but those that save and restore."""

SAVING = frozenset({"MergeV2Checkpoints", "SaveV2"})
"""In every SavedModel; nothing that a server does runs them."""
RESTORING = "RestoreV2"
"""Likewise; loading runs it, for the model's own variables."""
