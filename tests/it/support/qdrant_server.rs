//! A Qdrant server on the loopback: the client crate's own server traits over the embedded engine.
//!
//! It has what a vector sink calls; every other call answers `Unimplemented`. The error texts and
//! codes are those of the real server (1.19).

mod convert;

use engine::{EdgeShard, PointOperations, UpdateOperation};
use proto::collections_server::{Collections, CollectionsServer};
use proto::points_server::{Points, PointsServer};
use proto::qdrant_server::{Qdrant, QdrantServer as HealthServer};
use qdrant_client::qdrant as proto;
use qdrant_edge as engine;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use tokio::sync::oneshot;
use tonic::{Request, Response, Status};

/// Stops when dropped.
pub(crate) struct QdrantServer {
    url: String,
    server: Arc<Server>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl QdrantServer {
    pub(crate) fn start() -> QdrantServer {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a socket can be non-blocking");
        let address = listener.local_addr().expect("a bound socket has an address");
        let server = Arc::new(Server::new());
        let (stop, stopped) = oneshot::channel();
        let serve = serve(listener, server.clone(), stopped);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(serve);
        });
        let url = format!("qdrant://{address}");
        QdrantServer { url, server, stop: Some(stop), thread: Some(thread) }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Lets the next `times` calls fail with `Unavailable`.
    pub(crate) fn fail(&self, times: u32) {
        self.server.failures.store(times, Ordering::SeqCst);
    }

    /// Calls that arrived, failed ones too.
    pub(crate) fn calls(&self) -> u32 {
        self.server.calls.load(Ordering::SeqCst)
    }
}

impl Drop for QdrantServer {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // The thread is gone if it failed, and joining says so.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
            && !std::thread::panicking()
        {
            panic!("the Qdrant server panicked");
        }
    }
}

async fn serve(
    listener: std::net::TcpListener,
    server: Arc<Server>,
    stopped: oneshot::Receiver<()>,
) {
    let listener = tokio::net::TcpListener::from_std(listener).expect("a listening socket");
    let points = PointsServer::from_arc(server.clone()).max_decoding_message_size(usize::MAX);
    let running = tonic::transport::Server::builder()
        .add_service(HealthServer::from_arc(server.clone()))
        .add_service(CollectionsServer::from_arc(server))
        .add_service(points)
        .serve_with_incoming(tonic::transport::server::TcpIncoming::from(listener));
    // Not a graceful end: clients keep their connections open.
    tokio::select! {
        result = running => result.expect("the server runs"),
        _ = stopped => {}
    }
}

struct Server {
    directory: tempfile::TempDir,
    collections: Mutex<HashMap<String, Arc<EdgeShard>>>,
    failures: AtomicU32,
    calls: AtomicU32,
}

impl Server {
    fn new() -> Server {
        Server {
            directory: tempfile::tempdir().expect("a temporary directory"),
            collections: Mutex::default(),
            failures: AtomicU32::new(0),
            calls: AtomicU32::new(0),
        }
    }

    /// Counts a call, and fails it if that was asked for.
    fn admit<T>(&self, request: Request<T>) -> Result<T, Status> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let failing = self
            .failures
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        match failing {
            Ok(_) => Err(Status::unavailable("as the test asked")),
            Err(_) => Ok(request.into_inner()),
        }
    }

    fn shard(&self, name: &str) -> Result<Arc<EdgeShard>, Status> {
        let collections = self.collections.lock().expect("no call panicked");
        let missing =
            || Status::not_found(format!("Not found: Collection `{name}` doesn't exist!"));
        collections.get(name).cloned().ok_or_else(missing)
    }

    fn update(
        &self,
        collection: &str,
        operation: UpdateOperation,
    ) -> Result<Response<proto::PointsOperationResponse>, Status> {
        self.shard(collection)?.update(operation).map_err(wrong)?;
        let status = proto::UpdateStatus::Completed.into();
        let result = proto::UpdateResult { operation_id: Some(0), status };
        Ok(Response::new(proto::PointsOperationResponse {
            result: Some(result),
            ..Default::default()
        }))
    }
}

fn wrong(error: engine::OperationError) -> Status {
    match error {
        engine::OperationError::ServiceError { .. } => Status::internal(error.to_string()),
        _ => Status::invalid_argument(format!("Wrong input: {error}")),
    }
}

macro_rules! service {
    ($service:ident, { $($done:tt)* }, $($name:ident: $request:ident => $answer:ident,)*) => {
        #[tonic::async_trait]
        impl $service for Server {
            $($done)*
            $(async fn $name(
                &self,
                _: Request<proto::$request>,
            ) -> Result<Response<proto::$answer>, Status> {
                Err(Status::unimplemented(stringify!($name)))
            })*
        }
    };
}

service!(Qdrant, {
    async fn health_check(
        &self,
        request: Request<proto::HealthCheckRequest>,
    ) -> Result<Response<proto::HealthCheckReply>, Status> {
        self.admit(request)?;
        let version = "1.20.0".to_string();
        Ok(Response::new(proto::HealthCheckReply { version, ..Default::default() }))
    }
},);

service!(Collections, {
    async fn get(
        &self,
        request: Request<proto::GetCollectionInfoRequest>,
    ) -> Result<Response<proto::GetCollectionInfoResponse>, Status> {
        let request = self.admit(request)?;
        let info = convert::info(&*self.shard(&request.collection_name)?).map_err(wrong)?;
        Ok(Response::new(proto::GetCollectionInfoResponse { result: Some(info), time: 0.0 }))
    }

    async fn create(
        &self,
        request: Request<proto::CreateCollection>,
    ) -> Result<Response<proto::CollectionOperationResponse>, Status> {
        let request = self.admit(request)?;
        let name = request.collection_name.clone();
        let mut collections = self.collections.lock().expect("no call panicked");
        if collections.contains_key(&name) {
            let text = format!("Wrong input: Collection `{name}` already exists!");
            return Err(Status::already_exists(text));
        }
        let path = self.directory.path().join(&name);
        let shard = EdgeShard::new(&path, convert::config(request)?).map_err(wrong)?;
        collections.insert(name, Arc::new(shard));
        Ok(Response::new(proto::CollectionOperationResponse { result: true, time: 0.0 }))
    }

    async fn delete(
        &self,
        request: Request<proto::DeleteCollection>,
    ) -> Result<Response<proto::CollectionOperationResponse>, Status> {
        let name = self.admit(request)?.collection_name;
        let found = self.collections.lock().expect("no call panicked").remove(&name);
        let result = found.is_some();
        drop(found);
        if result {
            std::fs::remove_dir_all(self.directory.path().join(&name))?;
        }
        Ok(Response::new(proto::CollectionOperationResponse { result, time: 0.0 }))
    }
},
    list: ListCollectionsRequest => ListCollectionsResponse,
    update: UpdateCollection => CollectionOperationResponse,
    update_aliases: ChangeAliases => CollectionOperationResponse,
    list_collection_aliases: ListCollectionAliasesRequest => ListAliasesResponse,
    list_aliases: ListAliasesRequest => ListAliasesResponse,
    collection_cluster_info: CollectionClusterInfoRequest => CollectionClusterInfoResponse,
    collection_exists: CollectionExistsRequest => CollectionExistsResponse,
    update_collection_cluster_setup:
        UpdateCollectionClusterSetupRequest => UpdateCollectionClusterSetupResponse,
    create_shard_key: CreateShardKeyRequest => CreateShardKeyResponse,
    delete_shard_key: DeleteShardKeyRequest => DeleteShardKeyResponse,
    list_shard_keys: ListShardKeysRequest => ListShardKeysResponse,
);

service!(Points, {
    async fn upsert(
        &self,
        request: Request<proto::UpsertPoints>,
    ) -> Result<Response<proto::PointsOperationResponse>, Status> {
        let request = self.admit(request)?;
        let points = request.points.into_iter().map(convert::point).collect::<Result<_, _>>()?;
        let points = engine::PointInsertOperations::PointsList(points);
        let operation = UpdateOperation::PointOperation(PointOperations::UpsertPoints(points));
        self.update(&request.collection_name, operation)
    }

    async fn delete(
        &self,
        request: Request<proto::DeletePoints>,
    ) -> Result<Response<proto::PointsOperationResponse>, Status> {
        let request = self.admit(request)?;
        let operation = match convert::selector(request.points)? {
            (Some(ids), _) => PointOperations::DeletePoints { ids },
            (None, Some(filter)) => PointOperations::DeletePointsByFilter(filter),
            (None, None) => return Err(Status::invalid_argument("PointsSelector is missing")),
        };
        self.update(&request.collection_name, UpdateOperation::PointOperation(operation))
    }

    async fn set_payload(
        &self,
        request: Request<proto::SetPayloadPoints>,
    ) -> Result<Response<proto::PointsOperationResponse>, Status> {
        let request = self.admit(request)?;
        let (points, filter) = convert::selector(request.points_selector)?;
        let payload = convert::payload(request.payload);
        let set = engine::SetPayloadOp { payload, points, filter, key: None };
        let operation = UpdateOperation::PayloadOperation(engine::PayloadOps::SetPayload(set));
        self.update(&request.collection_name, operation)
    }

    async fn delete_payload(
        &self,
        request: Request<proto::DeletePayloadPoints>,
    ) -> Result<Response<proto::PointsOperationResponse>, Status> {
        let request = self.admit(request)?;
        let (points, filter) = convert::selector(request.points_selector)?;
        let keys = request.keys.iter().map(|key| key.parse());
        let keys = keys.collect::<Result<_, _>>().map_err(|()| {
            Status::invalid_argument("a key is not a path")
        })?;
        let delete = engine::DeletePayloadOp { keys, points, filter };
        let operation = engine::PayloadOps::DeletePayload(delete);
        self.update(&request.collection_name, UpdateOperation::PayloadOperation(operation))
    }

    async fn create_field_index(
        &self,
        request: Request<proto::CreateFieldIndexCollection>,
    ) -> Result<Response<proto::PointsOperationResponse>, Status> {
        let request = self.admit(request)?;
        let name = request.collection_name.clone();
        let index = engine::FieldIndexOperations::CreateIndex(convert::index(request)?);
        self.update(&name, UpdateOperation::FieldIndexOperation(index))
    }

    async fn create_vector_name(
        &self,
        request: Request<proto::CreateVectorNameRequest>,
    ) -> Result<Response<proto::PointsOperationResponse>, Status> {
        let request = self.admit(request)?;
        let name = request.collection_name.clone();
        let create = convert::vector_name(request)?;
        let create = engine::VectorNameOperations::CreateVectorName(create);
        self.update(&name, UpdateOperation::VectorNameOperation(create))
    }

    async fn get(
        &self,
        request: Request<proto::GetPoints>,
    ) -> Result<Response<proto::GetResponse>, Status> {
        let request = self.admit(request)?;
        let ids = request.ids.into_iter().map(convert::point_id).collect::<Result<_, _>>()?;
        let retrieve = engine::RetrieveRequestBuilder::new(ids)
            .with_payload(engine::WithPayloadInterface::Bool(true))
            .with_vector(convert::with_vectors(request.with_vectors))
            .build();
        let records = self.shard(&request.collection_name)?.retrieve(retrieve).map_err(wrong)?;
        // Any order is right: this one shows who relies on it.
        let result = records.into_iter().rev().map(convert::retrieved).collect();
        Ok(Response::new(proto::GetResponse { result, ..Default::default() }))
    }

    async fn scroll(
        &self,
        request: Request<proto::ScrollPoints>,
    ) -> Result<Response<proto::ScrollResponse>, Status> {
        let request = self.admit(request)?;
        let scroll = engine::ScrollRequest {
            offset: request.offset.map(convert::point_id).transpose()?,
            limit: request.limit.map(|limit| limit as usize),
            filter: request.filter.map(convert::filter).transpose()?,
            with_payload: Some(engine::WithPayloadInterface::Bool(true)),
            with_vector: convert::with_vectors(request.with_vectors),
            order_by: None,
        };
        let (records, next) = self.shard(&request.collection_name)?.scroll(scroll).map_err(wrong)?;
        Ok(Response::new(proto::ScrollResponse {
            next_page_offset: next.map(convert::id_back),
            result: records.into_iter().map(convert::retrieved).collect(),
            ..Default::default()
        }))
    }

    async fn count(
        &self,
        request: Request<proto::CountPoints>,
    ) -> Result<Response<proto::CountResponse>, Status> {
        let request = self.admit(request)?;
        let filter = request.filter.map(convert::filter).transpose()?;
        let count = engine::CountRequest { filter, exact: request.exact.unwrap_or(true) };
        let count = self.shard(&request.collection_name)?.count(count).map_err(wrong)?;
        let result = Some(proto::CountResult { count: count as u64 });
        Ok(Response::new(proto::CountResponse { result, ..Default::default() }))
    }

    async fn query(
        &self,
        request: Request<proto::QueryPoints>,
    ) -> Result<Response<proto::QueryResponse>, Status> {
        let request = self.admit(request)?;
        let shard = self.shard(&request.collection_name)?;
        let points = shard.query(convert::query(request)?).map_err(wrong)?;
        let result = points.into_iter().map(convert::scored).collect();
        Ok(Response::new(proto::QueryResponse { result, ..Default::default() }))
    }
},
    update_vectors: UpdatePointVectors => PointsOperationResponse,
    delete_vectors: DeletePointVectors => PointsOperationResponse,
    overwrite_payload: SetPayloadPoints => PointsOperationResponse,
    clear_payload: ClearPayloadPoints => PointsOperationResponse,
    delete_field_index: DeleteFieldIndexCollection => PointsOperationResponse,
    delete_vector_name: DeleteVectorNameRequest => PointsOperationResponse,
    search: SearchPoints => SearchResponse,
    search_batch: SearchBatchPoints => SearchBatchResponse,
    search_groups: SearchPointGroups => SearchGroupsResponse,
    recommend: RecommendPoints => RecommendResponse,
    recommend_batch: RecommendBatchPoints => RecommendBatchResponse,
    recommend_groups: RecommendPointGroups => RecommendGroupsResponse,
    discover: DiscoverPoints => DiscoverResponse,
    discover_batch: DiscoverBatchPoints => DiscoverBatchResponse,
    update_batch: UpdateBatchPoints => UpdateBatchResponse,
    query_batch: QueryBatchPoints => QueryBatchResponse,
    query_groups: QueryPointGroups => QueryGroupsResponse,
    facet: FacetCounts => FacetResponse,
    search_matrix_pairs: SearchMatrixPoints => SearchMatrixPairsResponse,
    search_matrix_offsets: SearchMatrixPoints => SearchMatrixOffsetsResponse,
);
