"""Reading PyTorch checkpoints as data. The files are written by hand: no PyTorch is needed."""

import copyreg
import pickle
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from keras_chrome.errors import InputError
from keras_chrome.import_weights.checkpoint import CheckpointError, read_state_dict

NONE, FALSE = b"N", b"\x89"

Write = Callable[..., Path]


def text(value: str) -> bytes:
    encoded = value.encode()
    return b"X" + len(encoded).to_bytes(4, "little") + encoded


def python2_text(value: str) -> bytes:
    return b"U" + bytes([len(value)]) + value.encode()


def number(value: int) -> bytes:
    encoded = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(encoded)]) + encoded


def sequence(*items: bytes) -> bytes:
    return b"(" + b"".join(items) + b"t"


def named(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


def call(callee: bytes, *arguments: bytes) -> bytes:
    return callee + sequence(*arguments) + b"R"


def dictionary(entries: Mapping[str, bytes], start: bytes = b"}") -> bytes:
    return start + b"(" + b"".join(text(key) + value for key, value in entries.items()) + b"u"


ORDERED_DICT = call(named("collections", "OrderedDict"))


def storage(key: str = "0", num_elements: int = 6, kind: str = "FloatStorage", *view) -> bytes:
    reference = (text("storage"), named("torch", kind), text(key), text("cpu"))
    return sequence(*reference, number(num_elements), *view) + b"Q"


def tensor(
    shape: tuple[int, ...] = (2, 3),
    strides: tuple[int, ...] = (3, 1),
    offset: int = 0,
    source: bytes | None = None,
) -> bytes:
    return call(
        named("torch._utils", "_rebuild_tensor_v2"),
        source or storage(),
        number(offset),
        sequence(*map(number, shape)),
        sequence(*map(number, strides)),
        FALSE,
        ORDERED_DICT,
    )


def write_zip(
    path: Path,
    saved: bytes,
    storages: Mapping[str, np.ndarray],
    *,
    byteorder: bytes = b"little",
    members: Mapping[str, bytes] | None = None,
    compression: int = zipfile.ZIP_STORED,
) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02" + saved + b".")
        archive.writestr("archive/byteorder", byteorder)
        for key, elements in storages.items():
            archive.writestr(f"archive/data/{key}", elements.tobytes())
        archive.writestr("archive/version", b"3\n")
        for name, content in (members or {}).items():
            archive.writestr(name, content)
    return path


def write_legacy(
    path: Path,
    saved: bytes,
    storages: Mapping[str, np.ndarray],
    *,
    protocol: int = 1001,
    is_little_endian: bool = True,
    keys: bytes | None = None,
) -> Path:
    system = {"protocol_version": 1001, "little_endian": is_little_endian}
    pickles = [
        pickle.dumps(0x1950A86A20F9469CFC6C, 2),
        pickle.dumps(protocol, 2),
        pickle.dumps(system, 2),
        b"\x80\x02" + saved + b".",
        keys or pickle.dumps(list(storages), 2),
    ]
    raw = [len(a).to_bytes(8, "little") + a.tobytes() for a in storages.values()]
    path.write_bytes(b"".join(pickles + raw))
    return path


@pytest.fixture(params=[write_zip, write_legacy], ids=["zip", "legacy"])
def write(request: pytest.FixtureRequest, tmp_path: Path) -> Write:
    """Writes a checkpoint of six float32 elements in either layout."""

    def write_file(saved: bytes, storages: Mapping[str, np.ndarray] | None = None, **options):
        elements = {"0": np.arange(6, dtype="<f4")} if storages is None else storages
        return request.param(tmp_path / "checkpoint.pt", saved, elements, **options)

    return write_file


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


def _system_through_reduce(command: str, _: str) -> bytes:
    return call(named("os", "system"), text(command))


def _system_through_stack_global(command: str, _: str) -> bytes:
    return call(text("os") + text("system") + b"\x93", text(command))


def _eval_through_reduce(_: str, expression: str) -> bytes:
    return call(named("builtins", "eval"), text(expression))


def _system_through_inst(command: str, _: str) -> bytes:
    return b"(" + text(command) + b"ios\nsystem\n"


def _system_through_obj(command: str, _: str) -> bytes:
    return b"(" + named("os", "system") + text(command) + b"o"


def _system_through_build(command: str, _: str) -> bytes:
    """The first BUILD gives an OrderedDict a __setstate__ of its own; the second calls it."""
    setter = dictionary({"__setstate__": named("os", "system")})
    return ORDERED_DICT + setter + b"b" + text(command) + b"b"


def _system_through_ext(command: str, _: str) -> bytes:
    return call(b"\x82\xf0", text(command))


@pytest.fixture
def os_system_as_extension():
    """Makes EXT1 240 stand for os.system, as a program that registers extensions might."""
    copyreg.add_extension("os", "system", 0xF0)
    yield
    copyreg.remove_extension("os", "system", 0xF0)


@pytest.mark.usefixtures("os_system_as_extension")
@pytest.mark.parametrize(
    ("attack", "names"),
    [
        (_system_through_reduce, "os.system"),
        (_system_through_stack_global, "os.system"),
        (_eval_through_reduce, "builtins.eval"),
        (_system_through_inst, "INST"),
        (_system_through_obj, "os.system"),
        (_system_through_build, "os.system"),
        (_system_through_ext, "EXT1"),
    ],
)
def test_nothing_in_a_malicious_file_runs(write, tmp_path, attack, names):
    trace = tmp_path / "trace"
    payload = attack(f"touch '{trace}'", f"open({str(trace)!r}, 'w').close()")

    pickle.loads(b"\x80\x04" + payload + b".")
    assert trace.exists(), "the attack works on Python's own unpickler"
    trace.unlink()

    for saved in (payload, dictionary({"a": tensor(), "b": payload})):
        with pytest.raises(CheckpointError, match=f"{names}'?. Nothing was executed"):
            read_state_dict(write(saved))
        assert not trace.exists()


def test_a_malicious_pickle_in_front_of_the_checkpoint_does_not_run(tmp_path):
    trace = tmp_path / "trace"
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(b"\x80\x02" + _system_through_reduce(f"touch '{trace}'", "") + b".")
    with pytest.raises(CheckpointError, match=r"'os\.system'. Nothing was executed"):
        read_state_dict(path)
    assert not trace.exists()


@pytest.mark.parametrize(
    "attributes",
    [
        dictionary({"__setstate__": NONE}),
        dictionary({"_metadata": ORDERED_DICT, "update": NONE}),
        sequence(NONE, dictionary({"_metadata": NONE})),
        number(1),
    ],
)
def test_attributes_that_no_state_dict_has_are_refused(write, attributes):
    with pytest.raises(CheckpointError, match="Expected no attributes but a state dict's"):
        read_state_dict(write(ORDERED_DICT + attributes + b"b"))


def test_attributes_of_a_function_are_refused(write):
    saved = named("torch._utils", "_rebuild_tensor_v2") + dictionary({"_metadata": NONE}) + b"b"
    with pytest.raises(CheckpointError, match="attributes of type global"):
        read_state_dict(write(saved))


def test_a_pickled_model_is_refused_with_the_remedy(write):
    module = named("__main__", "AttChrome") + b")\x81" + dictionary({"a": tensor()}) + b"b"
    with pytest.raises(CheckpointError, match=r"'__main__\.AttChrome'.*save model\.state_dict\(\)"):
        read_state_dict(write(module))


NO_STATE_DICTS = {
    "bare tensor": (tensor(), "Expected tensors by name. Received: tensor"),
    "empty": (b"}", "Received: dict, empty"),
    "empty wrapped": (dictionary({"state_dict": b"}"}), "Received: dict, empty"),
    "number": (dictionary({"a": number(1)}), "Received: int under 'a'"),
    "number as name": (b"}" + number(1) + tensor() + b"s", "Received: tensor under 1"),
    "tuple as name": (b"}" + sequence() + tensor() + b"s", "neither text nor a whole number"),
    "key for a list": (b"](" + tensor() + b"u", "a key for type list"),
    "item for a dict": (b"}" + tensor() + b"a", "an item for type dict"),
    "called storage": (call(named("torch", "FloatStorage"), number(3)), "with other arguments"),
    "called dict": (call(ORDERED_DICT, tensor()), "with other arguments"),
    "text as reference": (text("0") + b"Q", "Expected a reference to a storage"),
    "negative storage": (storage("0", -6), "Expected a reference to a storage"),
    "view of a storage": (storage("0", 6, "FloatStorage", text("1")), "a reference to a storage"),
    "module reference": (sequence(text("module"), NONE) + b"Q", "a reference to a storage"),
    "two lengths": (
        dictionary({"a": tensor(), "b": tensor(source=storage("0", 5))}),
        "Expected one type and one length of storage '0'",
    ),
    "unknown memo": (b"h\x07", "Expected an intact pickle"),
    "unknown opcode": (b"\xff", "Expected an intact pickle"),
    "opcode of no state dict": (b"0", "Received: POP"),
    "empty stack": (b"R", "Expected an intact pickle"),
    "no object": (b"", "Expected an intact pickle"),
}


@pytest.mark.parametrize(("saved", "message"), NO_STATE_DICTS.values(), ids=NO_STATE_DICTS)
def test_a_pickle_that_is_no_state_dict_is_refused(write, saved, message):
    storages = None if b"torch\n" in saved else {}
    with pytest.raises(CheckpointError, match=message):
        read_state_dict(write(saved, storages))


@pytest.mark.parametrize(
    "wrong",
    [
        tensor((2, 4), (4, 1)),
        tensor((2, 3), (4, 1)),
        tensor((2, 3), (3, 1), offset=1),
        tensor((2, 3), (3, 1), offset=-1),
        tensor((-2, 3), (3, 1)),
        tensor((2, 3), (-3, 1)),
        tensor((2, 3), (1,)),
        tensor((1000,), (0,)),
        tensor((2**30, 2**30), (0, 0)),
        tensor((2**900,), (0,)),
        tensor((0, 2**39, 2**39), (1, 1, 1)),
        tensor((1,) * 33, (1,) * 33),
        tensor().replace(number(2), text("2")),
    ],
)
def test_a_tensor_that_its_storage_cannot_hold_is_refused(write, wrong):
    with pytest.raises(CheckpointError, match=r"Expected tensor 'a' to lie within .* 6 elements"):
        read_state_dict(write(dictionary({"a": wrong})))


def test_many_tensors_of_one_storage_are_refused(write):
    saved = dictionary({f"a{index}": tensor() for index in range(9)})
    with pytest.raises(CheckpointError, match=r"at most 8 times. Received: tensors of 216 bytes"):
        read_state_dict(write(saved))


def test_a_storage_that_claims_more_than_the_file_holds_is_refused(write):
    huge = storage("0", 2**60)
    with pytest.raises(CheckpointError, match="truncated or damaged"):
        read_state_dict(write(dictionary({"a": tensor((2**30,), (1,), source=huge)})))


def test_a_truncated_file_is_refused_wherever_it_ends(write, tmp_path):
    whole = write(dictionary({"a": tensor(), "b": tensor((3,), (1,))})).read_bytes()
    path = tmp_path / "truncated.pt"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(CheckpointError) as caught:
            read_state_dict(path)
        assert str(caught.value).startswith(f"{path}: Expected")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "Expected a PyTorch checkpoint. Received: an empty file"),
        (b"\x89PNG\r\n\x1a\n", "Received: a file that starts with"),
        (pickle.dumps({"a": 1}, 2), "magic number first. Received: another pickle, of type dict"),
        (b"PK\x03\x04 and no more", "Expected an intact zip archive"),
    ],
)
def test_a_file_that_is_no_checkpoint_is_refused(tmp_path, content, message):
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=message):
        read_state_dict(path)


def test_a_path_that_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"missing.pt: Expected a file.*No such file"):
        read_state_dict(tmp_path / "missing.pt")
    with pytest.raises(InputError, match=r"Expected a file.*Is a directory"):
        read_state_dict(tmp_path)


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
