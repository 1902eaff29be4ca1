"""Result folders: what each case gave, the CSV files made of all, and files written whole or not at all."""

from bench.store.files import make_folder as make_folder
from bench.store.files import write_bytes as write_bytes
from bench.store.files import write_csv as write_csv
from bench.store.files import write_text as write_text
from bench.store.folder import Rows as Rows
from bench.store.folder import Store as Store
from bench.store.machine_file import read_machine as read_machine
