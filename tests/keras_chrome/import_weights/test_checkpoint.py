"""Reading PyTorch checkpoints as data. The files are written by hand: no PyTorch is needed."""

import pickle
import zipfile

import numpy as np
import pytest
from written_checkpoints import (
    FALSE,
    NONE,
    ORDERED_DICT,
    call,
    dictionary,
    named,
    number,
    python2_text,
    storage,
    tensor,
    text,
    write_legacy,
    write_zip,
)

from keras_chrome.import_weights.checkpoint import CheckpointError, read_state_dict


@pytest.mark.parametrize("start", [b"}", ORDERED_DICT], ids=["dict", "OrderedDict"])
def test_tensors_come_back_by_name_in_order(write, start):
    saved = dictionary({"layer.weight": tensor(), "layer.bias": tensor((3,), (1,), 3)}, start)
    state_dict = read_state_dict(write(saved))
    assert list(state_dict) == ["layer.weight", "layer.bias"]
    np.testing.assert_array_equal(state_dict["layer.weight"], [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(state_dict["layer.bias"], [3, 4, 5])


@pytest.mark.parametrize("wrapper", ["state_dict", "model_state_dict", "model"])
def test_a_state_dict_beside_other_entries_is_found(write, wrapper):
    saved = dictionary({"epoch": number(3), wrapper: dictionary({"a": tensor()}), "best": NONE})
    assert list(read_state_dict(write(saved))) == ["a"]


def test_a_python_2_state_dict_is_read(write):
    """It lists the pairs of an OrderedDict as lists, and adds its metadata as an attribute."""
    pair = b"](" + python2_text("a") + tensor(source=storage("0", 6, "FloatStorage", NONE)) + b"e"
    ordered = call(named("collections", "OrderedDict"), b"](" + pair + b"e")
    saved = ordered + dictionary({"_metadata": ORDERED_DICT}) + b"b"
    np.testing.assert_array_equal(read_state_dict(write(saved))["a"], np.arange(6).reshape(2, 3))


def test_pickle_protocol_4_is_read(tmp_path):
    """Protocol 4 frames the pickle, memoizes without numbers and names globals on the stack."""

    def short(value: str) -> bytes:
        return b"\x8c" + bytes([len(value)]) + value.encode() + b"\x94"

    rebuild = named("torch._utils", "_rebuild_tensor_v2")
    on_stack = short("torch._utils") + short("_rebuild_tensor_v2") + b"\x93\x94"
    fifth_in_memo = b"h\x04"
    first = short("a") + tensor().replace(rebuild, on_stack) + b"s"
    second = text("b") + tensor((3,), (2,)).replace(rebuild, fifth_in_memo) + b"s"
    body = b"}\x94" + first + second
    frame = b"\x95" + len(body).to_bytes(8, "little")
    path = write_zip(tmp_path / "a.pt", frame + body, {"0": np.arange(6, dtype="<f4")})
    state_dict = read_state_dict(path)
    np.testing.assert_array_equal(state_dict["a"], np.arange(6).reshape(2, 3))
    np.testing.assert_array_equal(state_dict["b"], [0, 2, 4])


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [
        ("DoubleStorage", "<f8"),
        ("FloatStorage", "<f4"),
        ("HalfStorage", "<f2"),
        ("LongStorage", "<i8"),
        ("IntStorage", "<i4"),
        ("ShortStorage", "<i2"),
        ("CharStorage", "i1"),
        ("ByteStorage", "u1"),
        ("BoolStorage", "?"),
    ],
)
def test_each_storage_type_keeps_its_dtype(write, kind, dtype):
    elements = np.array([0, 1, 1]).astype(dtype)
    saved = dictionary({"a": tensor((3,), (1,), source=storage("0", 3, kind))})
    array = read_state_dict(write(saved, {"0": elements}))["a"]
    assert array.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(array, elements)


def test_bfloat16_becomes_float32(write):
    upper_halves = np.array([0x3F80, 0xC020, 0x4049], dtype="<u2")
    saved = dictionary({"a": tensor((3,), (1,), source=storage("0", 3, "BFloat16Storage"))})
    array = read_state_dict(write(saved, {"0": upper_halves}))["a"]
    assert array.dtype == np.float32
    np.testing.assert_array_equal(array, np.array([1.0, -2.5, 3.140625], dtype=np.float32))


def test_a_parameter_a_scalar_and_an_empty_tensor_are_read(write):
    parameter = call(named("torch._utils", "_rebuild_parameter"), tensor(), FALSE, ORDERED_DICT)
    empty = tensor((0, 4), (4, 1), source=storage("1", 0))
    saved = dictionary({"a": parameter, "b": tensor((), (), 5), "c": empty})
    storages = {"0": np.arange(6, dtype="<f4"), "1": np.array([], dtype="<f4")}
    state_dict = read_state_dict(write(saved, storages))
    assert state_dict["a"].shape == (2, 3)
    assert state_dict["b"].shape == ()
    assert state_dict["b"] == 5
    assert state_dict["c"].shape == (0, 4)


def test_views_of_one_storage_become_arrays_of_their_own(write):
    saved = dictionary({"a": tensor(), "transposed": tensor((3, 2), (1, 3)), "same": tensor()})
    state_dict = read_state_dict(write(saved))
    np.testing.assert_array_equal(state_dict["transposed"], [[0, 3], [1, 4], [2, 5]])
    assert all(a.flags.c_contiguous and a.flags.writeable for a in state_dict.values())
    state_dict["a"][:] = -1
    np.testing.assert_array_equal(state_dict["same"], [[0, 1, 2], [3, 4, 5]])


SAVED = dictionary({"a": tensor()})
STORAGES = {"0": np.arange(6, dtype="<f4")}


def test_text_of_the_file_cannot_break_a_message_into_lines(tmp_path):
    hostile = text("os\n\x1b[31m") + text("x" * 5000) + b"\x93"
    path = write_zip(tmp_path / "a.pt", hostile, {})
    with pytest.raises(CheckpointError) as caught:
        read_state_dict(path)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"byteorder": b"big"}, "Expected little-endian numbers"),
        ({"members": {"archive/../../evil": b""}}, r"Received: 'archive/\.\./\.\./evil'"),
        ({"members": {"/etc/evil": b""}}, "within 'archive'. Received: '/etc/evil'"),
        ({"members": {"archive/a\n\x1b": b""} | {"b\n": b""}}, r"Received: 'b\\n'"),
        ({"members": {"other/data.pkl": b""}}, "Expected an archive with one data.pkl"),
        ({"members": {"archive/constants.pkl": b""}}, "TorchScript"),
        ({"compression": zipfile.ZIP_DEFLATED}, "Received: 'archive/data.pkl' compressed"),
    ],
)
def test_an_archive_that_torch_would_not_write_is_refused(tmp_path, options, message):
    with pytest.raises(CheckpointError, match=message):
        read_state_dict(write_zip(tmp_path / "a.pt", SAVED, STORAGES, **options))


def test_an_archive_with_a_repeated_member_is_refused(tmp_path):
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = write_zip(tmp_path / "a.pt", SAVED, STORAGES, members={"archive/data/0": b"0" * 24})
    with pytest.raises(CheckpointError, match=r"each member once .* Received: 'archive/data/0'"):
        read_state_dict(path)


def test_an_archive_without_a_storage_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match=r"Expected 24 bytes of storage '0'.* Received: none"):
        read_state_dict(write_zip(tmp_path / "a.pt", SAVED, {}))


def test_an_archive_with_a_changed_byte_is_refused(tmp_path):
    path = write_zip(tmp_path / "a.pt", SAVED, STORAGES)
    content = path.read_bytes()
    path.write_bytes(content.replace(STORAGES["0"].tobytes(), bytes(24)))
    with pytest.raises(CheckpointError, match=r"intact zip archive. Received: .*Bad CRC-32"):
        read_state_dict(path)


def test_a_zip_bomb_of_overlapping_members_is_refused(tmp_path):
    """Many directory entries that point at one large member."""
    path = write_zip(tmp_path / "a.pt", SAVED, {"0": np.zeros(10_000, dtype="<f4")})
    with zipfile.ZipFile(path, "a") as archive:
        for index in range(100):
            entry = zipfile.ZipInfo(f"archive/data/{index + 1:02d}")
            first = archive.getinfo("archive/data/0")
            for field in ("header_offset", "compress_size", "file_size", "CRC", "external_attr"):
                setattr(entry, field, getattr(first, field))
            archive.filelist.append(entry)
        archive._didModify = True
    with pytest.raises(CheckpointError, match=r"fit into the file's .* bytes together"):
        read_state_dict(path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"is_little_endian": False}, "Expected little-endian numbers"),
        ({"protocol": 1002}, "Expected layout version 1001. Received: 1002"),
        ({"keys": pickle.dumps(["1"], 2)}, r"the 1 storages that the tensors use.*\['1'\]"),
        ({"keys": pickle.dumps(["0", "0"], 2)}, "Received: 2 keys"),
        ({"keys": pickle.dumps([0], 2)}, "Expected a list of storage keys"),
        ({"keys": pickle.dumps("0", 2)}, "Expected a list of storage keys"),
    ],
)
def test_a_legacy_file_that_torch_would_not_write_is_refused(tmp_path, options, message):
    with pytest.raises(CheckpointError, match=message):
        read_state_dict(write_legacy(tmp_path / "a.pt", SAVED, STORAGES, **options))


@pytest.mark.parametrize("length", [5, 7, -1])
def test_a_legacy_storage_of_another_length_is_refused(tmp_path, length):
    path = write_legacy(tmp_path / "a.pt", SAVED, STORAGES)
    written = (6).to_bytes(8, "little") + STORAGES["0"].tobytes()
    claimed = length.to_bytes(8, "little", signed=True) + STORAGES["0"].tobytes()
    path.write_bytes(path.read_bytes().replace(written, claimed))
    with pytest.raises(CheckpointError, match=f"6 elements in storage '0'. Received: {length},"):
        read_state_dict(path)


def test_a_legacy_file_truncated_behind_the_state_dict_is_refused(tmp_path):
    optimizer = dictionary({"momentum": tensor(source=storage("1"))})
    saved = dictionary({"model": SAVED, "optimizer": optimizer})
    path = write_legacy(tmp_path / "a.pt", saved, STORAGES | {"1": STORAGES["0"]})
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match=r"storage '1'. Received: 6, in 23 bytes"):
        read_state_dict(path)


@pytest.mark.real_data
def test_the_published_checkpoint_is_read_whole(real_data):
    state_dict = read_state_dict(real_data / "weights" / "E003_attchrome_avgAUC_model.pt")
    assert len(state_dict) == 56
    assert sum(array.size for array in state_dict.values()) == 55_681
    assert {array.dtype for array in state_dict.values()} == {np.dtype(np.float32)}
    assert state_dict["rnn_hms.4.rnn.weight_hh_l0_reverse"].shape == (128, 32)
    assert all(np.isfinite(array).all() for array in state_dict.values())
