"""Nothing that is pickled in a checkpoint is executed, and only a state dict is read."""

import copyreg
import pickle

import pytest
from written_checkpoints import (
    NONE,
    ORDERED_DICT,
    call,
    dictionary,
    named,
    number,
    sequence,
    storage,
    tensor,
    text,
)

from keras_chrome.errors import InputError
from keras_chrome.import_weights.checkpoint import CheckpointError, read_state_dict


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
