use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::{fs, io};

use domain_homestay::{Applied, Change, Held, IndexError, Version};
use domain_ids::HomestayId;
use tantivy::indexer::LogMergePolicy;
use tantivy::{Index, IndexReader, IndexWriter, ReloadPolicy, TantivyDocument, TantivyError, Term};

use crate::directory::KeepingDirectory;
use crate::error::{self, Cause};
use crate::schema::{Fields, Marker};
use crate::state;
use crate::trash::Trash;
use crate::view::View;

/// Memory of one indexing thread before it writes a segment.
const THREAD_BYTES: usize = 32 * 1024 * 1024;

/// Threads that index a large batch. Each makes a segment, so a small one has one.
pub(crate) const THREADS: usize = 4;

/// Changes from which on more than one thread is worth its segment.
const MANY: usize = 2_000;

/// Segments of about one size from which on they become one: few enough to search fast, enough that a homestay is
/// rewritten a handful of times only.
const MERGED: usize = 6;

/// Segments with fewer homestays are of one size: those of the stream's small batches.
const SMALL: u32 = 1_000;

/// The share of a segment that may be gone before it is rewritten.
const GONE: f32 = 0.3;

/// How often a list of segments is read again because files on it were merged away meanwhile.
const OPENINGS: u32 = 5;

/// Blocks of documents (16 KB) that are kept unpacked: those of a few pages of hits.
const DOCUMENT_BLOCKS: usize = 200;

const MARKER: &str = "schema.json";
const META: &str = "meta.json";
const MANAGED: &str = ".managed.json";

/// A generation that is open for reading.
pub(crate) struct Generation {
    folder: PathBuf,
    trash: Trash,
    index: Index,
    reader: IndexReader,
    current: Mutex<Current>,
}

struct Current {
    /// The list of segments that `view` shows.
    meta: Vec<u8>,
    view: Arc<View>,
}

impl Generation {
    /// Opens the one in `folder`; [`IndexError::Missing`] if there is none, [`IndexError::Corrupt`] if another schema wrote it.
    pub fn open(fields: &Fields, folder: &Path, trash: &Trash) -> Result<Self, IndexError> {
        let index = open_index(fields, folder, trash)?;
        let (reader, current) = with_segments(|| {
            let meta = fs::read(folder.join(META)).map_err(error::file)?;
            let reader = index
                .reader_builder()
                .reload_policy(ReloadPolicy::Manual)
                .doc_store_cache_num_blocks(DOCUMENT_BLOCKS)
                .try_into();
            reader.map(|reader| (reader, meta)).map_err(error::engine)
        })
        .map(|(reader, meta)| {
            let view = Arc::new(View::new(reader.searcher(), None));
            (reader, Current { meta, view })
        })?;
        let current = Mutex::new(current);
        Ok(Self { folder: folder.to_owned(), trash: trash.clone(), index, reader, current })
    }

    /// Its present state.
    ///
    /// NFS makes sure that who opens a file sees what was written before (close-to-open consistency), but answers for its
    /// size and times from a cache: so the list of segments, a few KB, is read and compared.
    pub fn view(&self) -> Result<Arc<View>, IndexError> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.folder.join(META);
        let meta = fs::read(&path).map_err(missing)?;
        if meta != current.meta {
            let meta = with_segments(|| {
                let meta = fs::read(&path).map_err(missing)?;
                self.reader.reload().map(|()| meta).map_err(error::engine)
            })?;
            let view = Arc::new(View::new(self.reader.searcher(), Some(&current.view)));
            *current = Current { meta, view };
        }
        Ok(Arc::clone(&current.view))
    }

    /// Applies what is newer than what is held. The caller has the lock of the generation, and gives each homestay once.
    pub fn apply(&self, fields: &Fields, entries: &[Entry]) -> Result<Applied, IndexError> {
        let held = self.view()?.held(fields.id, entries.iter().map(|entry| &entry.id))?;
        let newer: Vec<(&Entry, bool)> = entries
            .iter()
            .zip(held)
            .filter(|(entry, held)| held.is_none_or(|held| held.version < entry.version))
            .map(|(entry, held)| (entry, held.is_some()))
            .collect();
        let applied = Applied { applied: newer.len(), outdated: entries.len() - newer.len() };
        if newer.is_empty() {
            return Ok(applied);
        }
        self.write(fields, newer.len(), |writer| {
            for (entry, replaces) in newer {
                if replaces {
                    writer.delete_term(Term::from_field_text(fields.id, entry.id.as_str()));
                }
                writer.add_document(entry.document.clone())?;
            }
            Ok(())
        })?;
        Ok(applied)
    }

    /// Forgets what is held as gone at these versions or older ones. The caller has the lock of the generation.
    pub fn forget(&self, fields: &Fields, gone: &[(HomestayId, Version)]) -> Result<(), IndexError> {
        let held = self.view()?.held(fields.id, gone.iter().map(|(id, _)| id))?;
        let is_gone =
            |held: Option<Held>, version| held.is_some_and(|it| !it.visible && it.version <= version);
        let gone: Vec<_> =
            gone.iter().zip(held).filter(|((_, version), held)| is_gone(*held, *version)).collect();
        if gone.is_empty() {
            return Ok(());
        }
        self.write(fields, gone.len(), |writer| {
            for ((id, _), _) in gone {
                writer.delete_term(Term::from_field_text(fields.id, id.as_str()));
            }
            Ok(())
        })
    }

    /// Opened anew for each batch: who keeps a writer keeps its threads, its lock and its list of files, and others write too.
    fn write(
        &self,
        fields: &Fields,
        changes: usize,
        batch: impl FnOnce(&IndexWriter) -> tantivy::Result<()>,
    ) -> Result<(), IndexError> {
        let index = open_index(fields, &self.folder, &self.trash)?;
        let threads = if changes < MANY { 1 } else { threads() };
        let write = || -> tantivy::Result<()> {
            let mut writer: IndexWriter = index.writer_with_num_threads(threads, threads * THREAD_BYTES)?;
            let mut merges = LogMergePolicy::default();
            merges.set_min_num_segments(MERGED);
            merges.set_min_layer_size(SMALL);
            merges.set_del_docs_ratio_before_merge(GONE);
            writer.set_merge_policy(Box::new(merges));
            batch(&writer)?;
            writer.commit()?;
            // They would be frozen with the function, half-way, and go on when another writes.
            writer.wait_merging_threads()
        };
        write().map_err(error::engine)
    }

    /// Compares what is on disk with the checksums that were written.
    pub fn verify(&self, fields: &Fields) -> Result<(), IndexError> {
        verify(fields, &self.folder, &self.trash)
    }

    /// Puts links to its files (copies, where that cannot be) into `to`. The caller has the lock of the generation.
    pub fn snapshot(&self, to: &Path) -> Result<(), IndexError> {
        let metas = self.index.load_metas().map_err(error::engine)?;
        let files: Vec<PathBuf> = metas.list_segment_files().into_iter().collect();
        let write = || -> io::Result<()> {
            fs::create_dir_all(to)?;
            let mut written: Vec<PathBuf> = Vec::new();
            for file in files {
                let (from, to) = (self.folder.join(&file), to.join(&file));
                // Not every segment has each kind of file.
                if from.exists() {
                    if fs::hard_link(&from, &to).is_err() {
                        fs::copy(&from, &to)?;
                    }
                    written.push(file);
                }
            }
            written.push(PathBuf::from(META));
            state::replace(&to.join(MANAGED), &serde_json::to_vec(&written)?)?;
            fs::copy(self.folder.join(MARKER), to.join(MARKER))?;
            // Last: before it is there, nothing is.
            state::replace(&to.join(META), &fs::read(self.folder.join(META))?)
        };
        write().map_err(error::file)
    }
}

/// A change, made ready before anybody else has to wait.
pub(crate) struct Entry {
    pub id: HomestayId,
    pub version: Version,
    pub document: TantivyDocument,
}

impl Entry {
    pub fn of(fields: &Fields, analyzer: domain_text::Analyzer, change: &Change) -> Result<Self, IndexError> {
        let document = fields.entry(analyzer, change);
        let document = document.map_err(|error| error::corrupt(Cause::Document(error)))?;
        Ok(Self { id: change.id.clone(), version: change.version, document })
    }
}

/// As many as there are processors, within [`THREADS`].
pub(crate) fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get).clamp(1, THREADS)
}

/// Makes an empty generation in `folder`, whole or not at all.
pub(crate) fn create(fields: &Fields, folder: &Path, trash: &Trash) -> Result<(), IndexError> {
    let new = folder.with_extension("new");
    let write = || -> Result<(), IndexError> {
        if new.exists() {
            fs::remove_dir_all(&new).map_err(error::file)?;
        }
        fs::create_dir_all(&new).map_err(error::file)?;
        let directory =
            KeepingDirectory::open(&new, trash.clone()).map_err(|error| error::engine(error.into()))?;
        Index::builder().schema(fields.schema.clone()).open_or_create(directory).map_err(error::engine)?;
        let marker =
            serde_json::to_vec(&Marker::current()).map_err(|error| error::corrupt(Cause::State(error)))?;
        state::replace(&new.join(MARKER), &marker).map_err(error::file)
    };
    write()?;
    put_in_place(&new, folder, trash)
}

/// Makes a copy of what [`Generation::snapshot`] wrote to `from` the generation in `folder`, if it is whole.
pub(crate) fn restore(fields: &Fields, from: &Path, folder: &Path, trash: &Trash) -> Result<(), IndexError> {
    let new = folder.with_extension("new");
    let copy = || -> io::Result<()> {
        if new.exists() {
            fs::remove_dir_all(&new)?;
        }
        fs::create_dir_all(&new)?;
        for file in fs::read_dir(from)? {
            let file = file?;
            fs::copy(file.path(), new.join(file.file_name()))?;
        }
        Ok(())
    };
    copy().map_err(error::file)?;
    verify(fields, &new, trash)?;
    put_in_place(&new, folder, trash)
}

fn put_in_place(new: &Path, folder: &Path, trash: &Trash) -> Result<(), IndexError> {
    let put = || -> io::Result<()> {
        state::sync_folder(new)?;
        remove(folder, trash)?;
        fs::rename(new, folder)?;
        folder.parent().map_or(Ok(()), state::sync_folder)
    };
    put().map_err(error::file)
}

/// Throws `folder` away, if it is there.
pub(crate) fn remove(folder: &Path, trash: &Trash) -> io::Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    Trash::put(&trash.bag()?, folder)
}

fn verify(fields: &Fields, folder: &Path, trash: &Trash) -> Result<(), IndexError> {
    let index = open_index(fields, folder, trash)?;
    let metas = index.load_metas().map_err(error::engine)?;
    // Every segment has a file of each of these kinds; the engine checks those that are there.
    let missing = metas.segments.iter().flat_map(|segment| {
        let needed = [tantivy::index::SegmentComponent::Postings, tantivy::index::SegmentComponent::Store];
        needed
            .map(|component| segment.relative_path(component))
            .into_iter()
            .filter(|path| !folder.join(path).exists())
    });
    let mut damaged: Vec<_> = missing.collect();
    damaged.extend(index.validate_checksum().map_err(error::engine)?);
    if damaged.is_empty() {
        return Ok(());
    }
    damaged.sort();
    let names: Vec<String> = damaged.iter().map(|path| path.display().to_string()).collect();
    Err(error::corrupt(Cause::Damaged(names.join(", "))))
}

fn open_index(fields: &Fields, folder: &Path, trash: &Trash) -> Result<Index, IndexError> {
    let marker = fs::read(folder.join(MARKER)).map_err(missing)?;
    if serde_json::from_slice::<Marker>(&marker).ok() != Some(Marker::current()) {
        return Err(error::corrupt(Cause::OtherSchema));
    }
    let directory =
        KeepingDirectory::open(folder, trash.clone()).map_err(|error| error::engine(error.into()))?;
    let index = Index::open(directory).map_err(error::engine)?;
    if index.schema() != fields.schema {
        return Err(error::corrupt(Cause::OtherSchema));
    }
    Ok(index)
}

fn missing(error: io::Error) -> IndexError {
    if error.kind() == io::ErrorKind::NotFound { IndexError::Missing } else { error::file(error) }
}

/// Opens segments; again, if a merge took some away between reading their list and opening them.
fn with_segments<T>(open: impl Fn() -> Result<T, IndexError>) -> Result<T, IndexError> {
    let mut opened = open();
    for _ in 1..OPENINGS {
        let gone = |error: &IndexError| match error {
            IndexError::Corrupt(cause) | IndexError::Unavailable(cause) => {
                cause.downcast_ref().is_some_and(|error| matches!(error, TantivyError::OpenReadError(_)))
            }
            IndexError::Busy(_) | IndexError::Missing => false,
        };
        match &opened {
            Err(error) if gone(error) => opened = open(),
            _ => break,
        }
    }
    opened
}
