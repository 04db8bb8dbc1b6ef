/* The stored format of the index: its tables, their first rows, and the view for people. */
#include "store/keys/keys.h"

/* message_keys_sweeps: how far each of two tables is, by its name.
 *   cursor           the last id that this sweep has merged; of the filter, the next part's
 *                    layer_part
 *   started_version  the head when this sweep began; stored_version when it ends
 *   stored_version   every id written at or before it is in the table
 * message_keys_filter: layer_part is layer << 32 | part.
 * message_ids: an id is looked up in each layer, and all rows of message_keys_new are read. */
const char keys_schema[] =
    "CREATE TABLE message_keys_sorted (layer INTEGER NOT NULL, id TEXT NOT NULL,"
    " version INTEGER NOT NULL, PRIMARY KEY (layer, id)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE message_keys_new (version INTEGER PRIMARY KEY, id TEXT NOT NULL,"
    " layer INTEGER NOT NULL) STRICT;"
    "CREATE TABLE message_keys_sweeps (target TEXT PRIMARY KEY, cursor TEXT NOT NULL,"
    " started_version INTEGER NOT NULL, stored_version INTEGER NOT NULL) STRICT;"
    "INSERT INTO message_keys_sweeps VALUES"
    " ('message_keys_sorted', '', 0, 0), ('message_keys_filter', '', 0, 0);"
    "CREATE TABLE message_keys_layers (layer INTEGER PRIMARY KEY, ids INTEGER NOT NULL,"
    " parts INTEGER NOT NULL, part_bytes INTEGER NOT NULL) STRICT;"
    "CREATE TABLE message_keys_filter (layer_part INTEGER PRIMARY KEY, bits BLOB NOT NULL) STRICT;"
    "CREATE VIEW message_ids (id, version) AS"
    " SELECT s.id, s.version FROM message_keys_layers l"
    " CROSS JOIN message_keys_sorted s ON s.layer = l.layer"
    " UNION ALL SELECT n.id, n.version FROM message_keys_new n WHERE NOT EXISTS"
    " (SELECT 1 FROM message_keys_sorted s WHERE s.layer = n.layer AND s.id = n.id);";
