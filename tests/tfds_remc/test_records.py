import re
from pathlib import Path

import tensorflow as tf
from tensorflow_datasets.core.file_adapters import FileFormat

from tfds_remc.remc.records import ReproducibleExampleWriter


def test_features_are_written_in_the_order_of_their_names(tmp_path: Path) -> None:
    feature = tf.train.Feature(int64_list=tf.train.Int64List(value=[1]))
    features = tf.train.Features(feature={f"feature{i}": feature for i in range(10)})
    example = tf.train.Example(features=features)
    path = tmp_path / "records"
    writer = ReproducibleExampleWriter(FileFormat.TFRECORD)
    writer.write(path, [(0, example.SerializeToString())])
    names = [name.decode() for name in re.findall(rb"feature\d", path.read_bytes())]
    assert names == [f"feature{i}" for i in range(10)]
    (record,) = tf.data.TFRecordDataset(str(path))
    assert tf.train.Example.FromString(record.numpy()) == example
